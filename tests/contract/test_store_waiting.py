"""Why a run waits: one story per cause, and what is known of its end."""

from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest
import sqlalchemy as sa

from shared.clock import SECOND, Instant, after
from shared.domain.execution import Refusal
from shared.domain.outcome import Deferred, Outcome, Paused, Retrying
from shared.domain.paging import Page
from shared.domain.requests import RunFilter
from shared.domain.run import Approval, Run, RunError, Waiting
from shared.ids import RunId
from shared.service.announcing import Announcing
from shared.storage.schema import agents, pools, runs, workers
from tests.contract.conftest import Open
from tests.platforms import House

Story = Callable[[House], Awaitable[RunId]]

PAUSED = Paused(approvals=(Approval(call_id="1", tool="pay", arguments=None),))


async def behind_a_live_one(house: House) -> RunId:
    session, _ = await house.start()
    return (await house.post(session)).run.id


async def not_due(house: House) -> RunId:
    await house.worker()
    session = await house.session()
    due = after(await now(house), 60)
    return (await house.post(session, not_before=due)).run.id


def ended_by(outcome: Outcome) -> Story:
    async def story(house: House) -> RunId:
        _, claim = await house.start()
        await house.settle(claim, outcome)
        return claim.run_id

    return story


async def too_many_at_once(house: House) -> RunId:
    for _ in range(2):
        await house.start(agent="capped")
    return await refused(house, "capped")


async def too_many_a_minute(house: House) -> RunId:
    await house.write(agents.update().values(runs_per_minute=1))
    await house.start()
    return await refused(house, "echo")


async def refused(house: House, agent: str) -> RunId:
    run_id = (await house.post(await house.session(agent))).run.id
    answer = await house.platform.execution.claim(await house.worker(), run_id)
    assert answer is Refusal.NOT_NOW
    return run_id


async def in_a_paused_pool(house: House) -> RunId:
    await house.worker()
    await house.write(pools.update().values(paused_at=1))
    return (await house.post(await house.session())).run.id


async def in_a_pool_without_workers(house: House) -> RunId:
    await house.worker("another")
    return (await house.post(await house.session())).run.id


async def ready(house: House) -> RunId:
    await house.worker()
    return (await house.post(await house.session())).run.id


async def of_a_tool_that_fell_silent(house: House) -> RunId:
    run_id = await ended_by(PAUSED)(house)
    await house.write(runs.update().values(wait_cause="tool_outcome_unknown"))
    return run_id


CAUSES: dict[str, Story] = {
    "session_busy": behind_a_live_one,
    "not_before": not_due,
    "retry_backoff": ended_by(Retrying(seconds=9, error=RunError(code="x", message="x"))),
    "deferred": ended_by(Deferred(seconds=9, why="later")),
    "rate_limit": too_many_a_minute,
    "concurrency_cap": too_many_at_once,
    "paused_pool": in_a_paused_pool,
    "no_worker": in_a_pool_without_workers,
    "queue_depth": ready,
    "approval": ended_by(PAUSED),
    "tool_outcome_unknown": of_a_tool_that_fell_silent,
}
WITH_AN_INSTANT = {"not_before", "retry_backoff", "deferred", "rate_limit"}


async def now(house: House) -> Instant:
    async with house.store.reading() as reading:
        return await house.store.now(reading)


async def why(house: House, run_id: RunId) -> Waiting:
    waiting = (await house.run(run_id)).waiting_for
    assert waiting is not None
    return waiting


@pytest.mark.parametrize("cause", CAUSES)
async def test_every_cause_has_its_story(house: House, cause: str) -> None:
    run_id = await CAUSES[cause](house)
    waiting = await why(house, run_id)
    assert waiting.cause == cause
    assert waiting.detail
    assert waiting.attempt == (1 if cause == "retry_backoff" else None)
    assert [each.cause for each in await listed(house, run_id)] == [cause]
    if cause in WITH_AN_INSTANT:
        assert waiting.until is not None
        left = (waiting.until - await now(house)) / SECOND
        assert waiting.eta_seconds == pytest.approx(left, abs=5)


async def listed(house: House, run_id: RunId) -> list[Waiting]:
    listing = await house.platform.runs.list(house.me, RunFilter(), Page(limit=50))
    return [each.waiting_for for each in listing.data if each.id == run_id and each.waiting_for]


async def measured(house: House, seconds: float, pool: str = "default") -> None:
    """Let every worker have measured this."""
    await house.write(workers.update().values(run_seconds={pool: seconds}))


async def test_in_a_line_it_is_behind_the_live_one_and_says_for_how_long(house: House) -> None:
    session, head = await house.start()
    await house.post(session)
    third = (await house.post(session)).run
    assert third.waiting_for
    assert third.waiting_for.position == 2
    await measured(house, 10.0)
    house.wait(4)
    waiting = await why(house, third.id)
    assert (waiting.run_id, waiting.position) == (head.run_id, 2)
    assert waiting.eta_seconds == pytest.approx(2 * 10 - 4, abs=2)
    house.wait(3600)  # it takes longer than they did lately: it may end at any moment
    assert (await why(house, third.id)).eta_seconds == pytest.approx(10)


async def test_in_a_line_without_a_live_one_it_is_behind_the_next(house: House) -> None:
    await house.worker()
    session = await house.session()
    runs_ = [(await house.post(session)).run.id for _ in range(3)]
    waiting = await why(house, runs_[2])
    assert (waiting.run_id, waiting.position, waiting.eta_seconds) == (runs_[1], 2, None)
    assert [each.run_id for each in await listed(house, runs_[2])] == [runs_[1]]


async def test_in_its_pool_it_is_behind_what_is_announced_and_what_is_ready(house: House) -> None:
    await house.worker(slots=4)
    await measured(house, 6.0)
    posted = [(await house.post(await house.session())).run.id for _ in range(5)]
    urgent = (await house.post(await house.session(), priority=1)).run.id
    await house.post(await house.session("elsewhere"))
    assert [(await why(house, each)).position for each in posted] == [1, 2, 3, 4, 5]
    assert (await why(house, urgent)).position == 0
    announcing = Announcing(house.store)
    await announcing.mark(await announcing.take("default", 3))
    positions = [(await why(house, each)).position for each in [urgent, *posted]]
    assert positions == [0, 1, 2, 3, 4, 5]
    waiting = await why(house, posted[4])
    assert waiting.eta_seconds == pytest.approx((5 + 1) / 4 * 6.0)


async def test_with_other_callers_it_takes_turns(house: House) -> None:
    await house.worker(slots=2)
    await measured(house, 3.0)
    for _ in range(2):
        await house.post(await house.session())
    mine = (await house.post(await house.session())).run.id
    await house.write(runs.update().where(runs.c.id != mine).values(principal_id=UUID(int=1)))
    waiting = await why(house, mine)
    assert waiting.position == 0
    assert waiting.eta_seconds == pytest.approx((0 + 1 + 1) / 2 * 3.0)


async def test_a_run_that_runs_or_has_ended_waits_for_nothing(house: House) -> None:
    _, claim = await house.start()
    assert (await house.run(claim.run_id)).waiting_for is None
    await house.answer(claim)
    assert (await house.run(claim.run_id)).waiting_for is None


async def test_a_worker_says_with_its_beat_how_long_runs_take(open_it: Open) -> None:
    async with open_it() as house:
        worker_id = await house.worker()
        for seconds in (2, 4):
            session = await house.session()
            claim = await house.claim(worker_id, (await house.post(session)).run.id)
            house.wait(seconds)
            await house.answer(claim)
        assert await house.platform.execution.beat(worker_id, 4)
        [row] = await house.rows(sa.select(workers.c.beat_at, workers.c.run_seconds))
        assert row.run_seconds["default"] == pytest.approx(3, abs=1)
        assert row.beat_at == pytest.approx(await now(house), abs=5 * SECOND)


async def test_the_ladder_says_who_claimed_and_which_attempt(house: House) -> None:
    session, claim = await house.start()
    assert ladder(await house.run(claim.run_id)) == ("w", 1)
    await house.settle(claim, Retrying(seconds=0, error=RunError(code="x", message="x")))
    assert ladder(await house.run(claim.run_id)) == ("w", 1)
    again = await house.claim(await house.worker(), claim.run_id)
    assert ladder(await house.run(claim.run_id)) == ("w", 2)
    await house.answer(again)
    assert ladder(await house.run(claim.run_id)) == ("w", 2)
    filters = RunFilter(session_id=session.id)
    listing = await house.platform.runs.list(house.me, filters, Page(limit=5))
    assert [ladder(each) for each in listing.data] == [("w", 2)]


def ladder(run: Run) -> tuple[str | None, int | None]:
    assert run.announced_at is not None
    assert run.claimed_at is not None
    assert Instant(run.stored_at) <= run.announced_at <= run.claimed_at
    return run.claimed_by, run.claimed_attempt
