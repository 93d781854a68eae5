"""From ready to announced: short windows, fair turns, marks that compare and set."""

import asyncio
import contextlib
from dataclasses import replace

import sqlalchemy as sa

from shared.clock import Instant
from shared.dispatch.relay import PoolBusy
from shared.domain.agent import agent_id_of
from shared.domain.execution import Announcement, Refusal
from shared.domain.outcome import GivenBack
from shared.domain.principal import Principal, Scope
from shared.domain.requests import NewSession
from shared.ids import PrincipalId, RunId, new_id
from shared.service.announcing import Announcing
from shared.storage.schema import agents, pools, runs, sessions
from tests.platforms import House, a_message

WINDOW, OWN_WINDOW = 100, 20  # the least of a pool, and of one principal in it
CROWD = Principal(tenant="crowd", user_id=None, scope=Scope.SERVICE)


async def ready_heads(house: House, principal_id: PrincipalId, count: int) -> None:
    """As many sessions with one ready run each, written by hand: quick."""
    async with house.store.transaction() as transaction:
        now = await house.store.now(transaction)
        ids = [(new_id(), new_id()) for _ in range(count)]
        about = {"agent_id": agent_id_of("echo"), "origin": "native"}
        instants = ("last_message_at", "created_at", "updated_at", "last_activity_at")
        session = about | dict.fromkeys(instants, now) | {"metadata": {}, "tenant": "crowd"}
        run = about | {
            "seq": 1, "status": "queued", "dispatch": "ready", "ready_at": now, "stored_at": now,
            "principal_id": principal_id, "pool": "default", "correlation_id": "c",
            "max_attempts": 3,
        }  # fmt: skip
        await transaction.execute(
            sessions.insert(), [session | {"id": mine, "queue_depth": 1} for mine, _ in ids]
        )
        await transaction.execute(
            runs.insert(), [run | {"id": mine, "session_id": its} for its, mine in ids]
        )


async def in_flight(house: House) -> int:
    """Announced, running, or on the way to the broker."""
    leaving = sa.and_(runs.c.dispatch == "ready", runs.c.announce_hold_until.is_not(None))
    return await house.count(
        runs, sa.or_(runs.c.dispatch == "announced", runs.c.status == "running", leaving)
    )


async def lone_head(house: House, priority: int = 0) -> RunId:
    return (await house.post(await house.session(), priority=priority)).run.id


async def state(house: House, run_id: RunId) -> tuple[str | None, int]:
    [row] = await house.rows(sa.select(runs).where(runs.c.id == run_id))
    return row.dispatch, row.announce_count


async def test_a_window_is_never_passed_and_another_principal_has_its_turn(house: House) -> None:
    source = Announcing(house.store)
    worker = await house.worker(slots=10)
    await ready_heads(house, CROWD.id, 10_000)
    taken: list[Announcement] = []
    while batch := await source.take("default", 30):
        assert await in_flight(house) <= OWN_WINDOW
        await source.mark(batch)
        taken += batch
    assert len(taken) == await in_flight(house) == OWN_WINDOW
    last = await lone_head(house)
    assert [each.run_id for each in await source.take("default", 30)] == [last]
    claim = await house.claim(worker, taken[0].run_id)
    assert await source.take("default", 30) == []
    await house.answer(claim)
    assert len(await source.take("default", 30)) == 1
    assert await in_flight(house) == OWN_WINDOW + 1


async def test_many_relays_together_keep_the_window(house: House) -> None:
    for _ in range(8):
        await ready_heads(house, PrincipalId(new_id()), 50)

    async def take_patiently() -> list[Announcement]:
        while True:
            with contextlib.suppress(PoolBusy):
                return await Announcing(house.store).take("default", 60)

    batches = await asyncio.gather(*(take_patiently() for _ in range(6)))
    taken = [each.run_id for batch in batches for each in batch]
    assert len(taken) == len(set(taken)) == WINDOW


async def test_the_window_grows_with_the_slots_of_the_living(house: House) -> None:
    await ready_heads(house, CROWD.id, 300)
    workers = [await house.worker(slots=60) for _ in range(2)]
    await house.worker("narrow", slots=500)
    await house.platform.execution.retire(workers[0])
    assert len(await Announcing(house.store).take("default", 1000)) == 2 * 60


async def test_principals_share_a_take(house: House) -> None:
    await ready_heads(house, CROWD.id, 50)
    mine = {await lone_head(house) for _ in range(5)}
    taken = {each.run_id for each in await Announcing(house.store).take("default", 10)}
    assert (len(taken), len(taken & mine)) == (10, 5)


async def test_who_is_held_back_does_not_use_up_the_turn_of_others(house: House) -> None:
    """A principal at its cap has nothing to announce, and another one has."""
    await house.write(agents.update().where(agents.c.name == "capped").values(max_running=1))
    ours = [(await house.post(await house.session("capped"))).run.id for _ in range(2)]
    worker = await house.worker()
    await house.claim(worker, ours[0])
    await house.platform.execution.claim(worker, ours[1])
    platform = house.platform
    for _ in range(2):
        session = await platform.sessions.create(CROWD, NewSession(agent="echo"))
        accepted = await platform.intake.accept(CROWD, a_message(session.id))
        await house.claim(worker, accepted.run.id)
    session = await platform.sessions.create(CROWD, NewSession(agent="echo"))
    theirs = (await platform.intake.accept(CROWD, a_message(session.id))).run.id
    taken = await Announcing(house.store).take("default", 1)
    assert [each.run_id for each in taken] == [theirs]


async def test_the_urgent_and_then_the_oldest_go_first(house: House) -> None:
    old, new = await lone_head(house), await lone_head(house)
    urgent, lazy = await lone_head(house, priority=5), await lone_head(house, priority=-5)
    taken = await Announcing(house.store).take("default", 10)
    assert [each.run_id for each in taken] == [urgent, old, new, lazy]


async def test_what_travels_is_not_taken_twice_until_its_hold_ends(house: House) -> None:
    source, run_id = Announcing(house.store), await lone_head(house)
    [first] = await source.take("default", 5)
    assert await source.take("default", 5) == []
    await source.release([first])
    assert await source.take("default", 5) == [first]
    house.wait(11)
    assert await source.take("default", 5) == [first]
    await source.mark([first])
    house.wait(11)
    assert await source.take("default", 5) == []
    assert await state(house, run_id) == ("announced", 1)


async def test_a_paused_or_another_pool_gives_nothing(house: House) -> None:
    run_id = (await house.post(await house.session("elsewhere"))).run.id
    source = Announcing(house.store)
    assert await source.take("default", 5) == await source.take("nowhere", 5) == []
    paused = pools.update().where(pools.c.name == "narrow")
    await house.write(paused.values(paused_at=1))
    assert await source.take("narrow", 5) == []
    await house.write(paused.values(paused_at=None))
    assert [each.run_id for each in await source.take("narrow", 5)] == [run_id]


async def test_a_mark_sets_only_what_it_saw(house: House) -> None:
    source, run_id = Announcing(house.store), await lone_head(house)
    [seen] = await source.take("default", 5)
    for stale in (replace(seen, fence=seen.fence + 1), replace(seen, announce_count=9)):
        await source.mark([stale])
        await source.release([stale])
        assert await state(house, run_id) == ("ready", 0)
        assert await source.take("default", 5) == []
    claim = await house.claim(await house.worker(), run_id)
    await source.mark([seen])
    assert await state(house, run_id) == (None, 0)
    await house.settle(claim, GivenBack())
    await source.mark([seen])
    assert await state(house, run_id) == ("ready", 0)


async def test_what_was_handed_back_comes_again_after_a_moment(house: House) -> None:
    source, run_id = Announcing(house.store), await lone_head(house)
    await source.mark(await source.take("default", 5))
    await house.platform.execution.hand_back(run_id, seconds=1.0)
    assert await source.take("default", 5) == []
    house.wait(1.1)
    [again] = await source.take("default", 5)
    assert (again.run_id, again.announce_count) == (run_id, 0)
    claim = await house.claim(await house.worker(), run_id)
    await house.platform.execution.hand_back(run_id, seconds=1.0)
    assert await state(house, run_id) == (None, 0)
    await house.answer(claim)


async def test_a_mark_that_comes_after_its_announcement_was_used_up_is_too_late(
    house: House,
) -> None:
    source, run_id = Announcing(house.store), await lone_head(house)
    seen = await source.take("default", 5)
    await house.platform.execution.hand_back(run_id, seconds=1.0)
    await source.mark(seen)
    assert await state(house, run_id) == ("ready", 0)
    house.wait(1.1)
    seen = await source.take("default", 5)
    await house.write(agents.update().values(max_running=0))
    worker = await house.worker()
    assert await house.platform.execution.claim(worker, run_id) is Refusal.NOT_NOW
    await source.mark(seen)
    assert await state(house, run_id) == ("ready", 0)


async def test_a_lost_announcement_is_repeated_with_doubling_patience(house: House) -> None:
    source, run_id = Announcing(house.store), await lone_head(house)
    for patience in (15, 30, 60, 120, 240, 300):
        [taken] = await source.take("default", 5)
        await source.mark([taken])
        house.wait(patience - 5)
        await house.platform.upkeep.sweep()
        assert (await state(house, run_id))[0] == "announced"
        house.wait(6)
        await house.platform.upkeep.sweep()
        assert (await state(house, run_id))[0] == "ready"


async def test_a_claim_needs_no_announcement(house: House) -> None:
    run_id = await lone_head(house)
    claim = await house.claim(await house.worker(), run_id)
    run = await house.run(run_id)
    assert run.announced_at == claim.claimed_at == Instant(run.claimed_at or 0)


async def test_the_relay_is_told_of_pools_with_ready_runs_only(house: House) -> None:
    await house.platform.upkeep.due()
    assert house.said == []
    await house.post(await house.session("elsewhere"))
    house.said.clear()
    await house.platform.upkeep.due()
    assert house.said == ["narrow"]
    await Announcing(house.store).take("narrow", 5)
    house.said.clear()
    await house.platform.upkeep.due()
    assert house.said == []


async def test_a_certain_broker_needs_no_mark_and_may_find_no_room(house: House) -> None:
    run_id = await lone_head(house)
    source = Announcing(house.store, certain=True)
    taken = await source.take("default", 5)
    await source.mark(taken)
    assert await state(house, run_id) == ("announced", 1)
    await source.release(taken)
    assert [each.run_id for each in await source.take("default", 5)] == [run_id]
