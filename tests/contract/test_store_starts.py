"""An agent starts so many runs a minute, whoever claims them; who comes too early has a turn."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest
import sqlalchemy as sa

from shared.clock import SECOND
from shared.domain.agent import Agent, AgentKind, AgentLimits, AgentSpec, agent_id_of
from shared.domain.execution import Claim, Refusal
from shared.domain.message import Reply
from shared.domain.outcome import Deferred, Failed, GivenBack, Outcome, Retrying, Succeeded
from shared.domain.principal import Principal, Scope
from shared.domain.run import ErrorCode, RunError
from shared.ids import RunId, WorkerId
from shared.service.announcing import Announcing
from shared.storage import claims
from shared.storage.announcing import LEAST_OWN_WINDOW
from shared.storage.schema import agents, runs
from tests.contract.conftest import Open
from tests.platforms import House, a_message

ERROR = RunError(code=ErrorCode.AGENT_ERROR, message="no")


async def rated(house: House, runs_per_minute: int, agent: str = "echo") -> None:
    named = agents.update().where(agents.c.id == agent_id_of(agent))
    await house.write(named.values(runs_per_minute=runs_per_minute))


async def heads(house: House, count: int, agent: str = "echo") -> list[RunId]:
    return [(await house.post(await house.session(agent))).run.id for _ in range(count)]


async def ask(house: House, worker: WorkerId, run_id: RunId) -> bool:
    claim = await house.platform.execution.claim(worker, run_id)
    assert isinstance(claim, Claim) or claim is Refusal.NOT_NOW
    return isinstance(claim, Claim)


async def holds(house: House, waiting: list[RunId]) -> list[int | None]:
    """How many seconds after the first start each run is held."""
    rows = {row.id: row for row in await house.rows(sa.select(runs))}
    first = min(row.claimed_at for row in rows.values() if row.claimed_at is not None)
    untils = [rows[run_id].announce_hold_until for run_id in waiting]
    return [until and (until - first) // SECOND for until in untils]


async def pass_until(house: House, seconds: int) -> None:
    """Let the time come that is so many seconds after the first start."""
    async with house.store.reading() as reading:
        now = await house.store.now(reading)
    [(first,)] = await house.rows(sa.select(sa.func.min(runs.c.claimed_at)))
    house.store.offset += first + seconds * SECOND - now


async def test_as_many_start_as_the_rate_says_whichever_process_claims_them(
    house: House, open_it: Open, database: str
) -> None:
    await rated(house, 4)
    waiting = await heads(house, 10)
    async with AsyncExitStack() as opened:
        houses = [house]
        if database.startswith("postgresql"):
            houses.append(await opened.enter_async_context(open_it()))
            await rated(house, 4)
        asked = [(each, await each.worker(), run_id) for run_id in waiting for each in houses]
        results = await asyncio.gather(
            *(each.platform.execution.claim(worker, run_id) for each, worker, run_id in asked)
        )
    assert sum(isinstance(each, Claim) for each in results) == 4
    held = await house.rows(sa.select(runs).where(runs.c.status == "queued"))
    assert {(row.dispatch, row.wait_cause) for row in held} == {("ready", "rate_limit")}


async def test_who_counts_waits_until_the_other_has_committed(house: House) -> None:
    if house.store.sqlite:
        return  # it has one writer
    await rated(house, 1)
    first, second = await heads(house, 2)
    worker = await house.worker()
    async with house.store.transaction() as transaction:
        [granted] = await claims.claim(house.store, transaction, [claims.Request(worker, first)])
        refused = asyncio.create_task(ask(house, worker, second))
        await house.until_somebody_waits_for_a_lock()
    assert isinstance(granted, Claim)
    assert await refused is False


async def test_who_comes_too_early_is_held_until_its_turn_and_starts_then(house: House) -> None:
    await rated(house, 2)
    worker, waiting = await house.worker(slots=9), await heads(house, 6)
    assert [await ask(house, worker, each) for each in waiting] == [True, True] + [False] * 4
    assert await holds(house, waiting[2:]) == [30, 60, 90, 120]
    row = (await house.rows(sa.select(runs).where(runs.c.id == waiting[4])))[0]
    assert row.wait_detail == "Its agent may start 2 runs a minute."
    for number, run_id in enumerate(waiting[2:], start=1):
        await pass_until(house, 30 * number)
        assert await ask(house, worker, run_id)


async def test_who_waits_longer_goes_before_who_comes_when_the_time_has_come(
    house: House,
) -> None:
    await rated(house, 1)
    worker, (started, waits) = await house.worker(slots=9), await heads(house, 2)
    assert [await ask(house, worker, each) for each in (started, waits)] == [True, False]
    [newcomer] = await heads(house, 1)
    await pass_until(house, 60)
    assert not await ask(house, worker, newcomer)
    assert await ask(house, worker, waits)
    house.wait(60)
    assert await ask(house, worker, newcomer)


async def test_a_turn_that_nobody_takes_is_lost(house: House) -> None:
    """Its principal's window may be full for hours: the others do not wait for that."""
    await rated(house, 1)
    worker, (started, waits) = await house.worker(slots=9), await heads(house, 2)
    assert [await ask(house, worker, each) for each in (started, waits)] == [True, False]
    house.wait(63)
    [newcomer] = await heads(house, 1)
    assert await ask(house, worker, newcomer)


async def test_every_principal_has_its_turn(house: House) -> None:
    await rated(house, 1)
    worker, mine = await house.worker(slots=9), await heads(house, 4)
    assert [await ask(house, worker, each) for each in mine] == [True, False, False, False]
    ann = Principal(tenant="default", user_id="ann", scope=Scope.USER)
    session = await house.session(user_id="ann")
    hers = (await house.platform.intake.accept(ann, a_message(session.id))).run.id
    assert not await ask(house, worker, hers)
    assert await holds(house, [*mine[1:], hers]) == [60, 120, 180, 120]


@pytest.mark.parametrize(
    ("outcome", "free"),
    [
        (Deferred(seconds=900, why="busy"), True),
        (GivenBack(), True),
        (GivenBack(lost=True), True),
        (Succeeded(reply=Reply(content="yes")), False),
        (Retrying(error=ERROR, seconds=900), False),
        (Failed(error=ERROR), False),
    ],
    ids=lambda each: type(each).__name__,
)
async def test_a_run_that_comes_back_undone_gives_its_start_to_the_next(
    house: House, outcome: Outcome, free: bool
) -> None:
    await rated(house, 1)
    first, second, third = await heads(house, 3)
    worker = await house.worker(slots=9)
    claim = await house.claim(worker, first)
    assert [await ask(house, worker, each) for each in (second, third)] == [False, False]
    await house.settle(claim, outcome)
    assert await holds(house, [second, third]) == [None if free else 60, 120]
    assert await ask(house, worker, second) is free
    assert not await ask(house, worker, third)


async def test_a_start_is_given_back_once(house: House) -> None:
    await rated(house, 1)
    first, second, third = await heads(house, 3)
    worker = await house.worker(slots=9)
    claim = await house.claim(worker, first)
    for _ in range(2):
        await house.settle(claim, Deferred(seconds=900, why="busy"))
    assert await ask(house, worker, second)
    assert not await ask(house, worker, third)


async def test_who_is_held_keeps_no_other_agent_s_run_from_being_announced(house: House) -> None:
    await rated(house, 1, "capped")
    worker = await house.worker(slots=9)
    held = await heads(house, LEAST_OWN_WINDOW + 2, "capped")
    for run_id in held:
        await house.platform.execution.claim(worker, run_id)
    others = await heads(house, 5)
    taken = await Announcing(house.store).take("default", 500)
    assert {each.run_id for each in taken} == set(others)
    house.wait(61)
    [next_, *_] = await Announcing(house.store).take("default", 500)
    assert next_.run_id == held[1]


async def test_a_rate_binds_its_agent_alone_and_only_while_it_has_one(house: House) -> None:
    await rated(house, 1)
    worker, (first, second) = await house.worker(slots=9), await heads(house, 2)
    assert [await ask(house, worker, each) for each in (first, second)] == [True, False]
    [other] = await heads(house, 1, "historian")
    assert await ask(house, worker, other)
    await house.write(agents.update().values(runs_per_minute=None))
    assert await ask(house, worker, second)


async def test_another_rate_holds_nobody_to_the_old_one(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.storage.starts._LET_GO_AT_ONCE", 1)  # there may be very many
    slow = AgentSpec(
        name="slow", kind=AgentKind.ECHO, limits=AgentLimits(runs_per_minute=1, max_running=9)
    )
    agents_ = house.platform.agents
    made = await agents_.create_once(house.me, slow, None)
    assert isinstance(made, Agent)
    worker, (first, second, third) = await house.worker(slots=9), await heads(house, 3, "slow")
    assert await ask(house, worker, first)
    assert [await ask(house, worker, each) for each in (second, third)] == [False, False]
    await agents_.change("slow", lambda _: replace(slow, pool="narrow"))
    assert await holds(house, [second, third]) == [60, 120]
    quick = replace(slow, limits=AgentLimits(runs_per_minute=3))
    await agents_.change("slow", lambda _: quick)
    assert await holds(house, [second, third]) == [None, None]
    house.wait(20)
    assert await ask(house, worker, second)
    assert not await ask(house, worker, third)
