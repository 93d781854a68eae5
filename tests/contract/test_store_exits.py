"""What comes after an exit that is no end: backoff, deferral, loss, give-back."""

from shared import telemetry
from shared.domain.execution import Refusal
from shared.domain.message import Reply
from shared.domain.outcome import Deferred, Failed, GivenBack, Outcome, Paused, Retrying, Succeeded
from shared.domain.run import RunError, RunStatus
from shared.domain.session import SessionStatus
from shared.ids import RunId, WorkerId
from shared.storage.schema import runs, workers
from tests.contract.conftest import Open
from tests.platforms import House

ERROR = RunError(code="agent_error", message="no luck", retryable=True)
HOUR = 3600.0


async def dispatch(house: House, run_id: RunId) -> str | None:
    [row] = await house.rows(runs.select().where(runs.c.id == run_id))
    return None if row.dispatch is None else str(row.dispatch)


async def test_a_retry_waits_for_its_time_and_keeps_the_head(house: House) -> None:
    session, claim = await house.start()
    behind = await house.post(session)
    await house.settle(claim, Retrying(seconds=30, error=ERROR))
    run = await house.run(claim.run_id)
    assert run.waiting_for is not None
    assert (run.waiting_for.cause, run.attempts[0].error) == ("retry_backoff", ERROR)
    assert run.waiting_for.detail == "Attempt 1 failed: no luck"
    assert run.waiting_for.until == run.attempts[0].ended_at + 30_000_000
    worker = await house.worker()
    house.wait(29)
    await house.platform.upkeep.due()
    for run_id in (claim.run_id, behind.run.id):
        assert await house.platform.execution.claim(worker, run_id) is Refusal.NOT_CLAIMABLE
    assert house.said.count("default") > 0
    house.said.clear()
    house.wait(2)
    await house.platform.upkeep.due()
    assert house.said == ["default"]
    again = await house.claim(worker, claim.run_id)
    assert (again.attempt, again.fence > claim.fence) == (2, True)
    assert await dispatch(house, behind.run.id) == "blocked"


async def test_a_retry_at_once_is_ready_at_once(house: House) -> None:
    _, claim = await house.start()
    await house.settle(claim, Retrying(seconds=0, error=ERROR))
    await house.claim(await house.worker(), claim.run_id)


async def test_a_deferral_is_free_and_ends_after_a_day(house: House) -> None:
    session, claim = await house.start()
    worker = await house.worker()
    for _ in range(24):
        settled = await house.settle(claim, Deferred(seconds=HOUR, why="no tokens left"))
        assert settled.status is RunStatus.QUEUED
        waiting = (await house.run(claim.run_id)).waiting_for
        assert waiting is not None
        assert (waiting.cause, waiting.detail) == ("deferred", "no tokens left")
        house.wait(HOUR + 1)
        await house.platform.upkeep.due()
        claim = await house.claim(worker, claim.run_id)
        assert claim.attempt == 1
    settled = await house.settle(claim, Deferred(seconds=HOUR, why="no tokens left"))
    assert settled.status is RunStatus.FAILED
    run = await house.run(claim.run_id)
    assert run.error is not None
    assert run.error.code == "deferred_too_long"
    assert "no tokens left" in run.error.message
    assert (await house.look(session)).status is SessionStatus.ERROR


async def test_another_exit_starts_the_day_of_deferrals_again(house: House) -> None:
    _, claim = await house.start()
    await house.settle(claim, Deferred(seconds=0, why="x"))
    house.wait(23 * HOUR)
    claim = await house.claim(await house.worker(), claim.run_id)
    await house.settle(claim, Retrying(seconds=0, error=ERROR))
    house.wait(2 * HOUR)
    claim = await house.claim(await house.worker(), claim.run_id)
    settled = await house.settle(claim, Deferred(seconds=0, why="x"))
    assert settled.status is RunStatus.QUEUED


async def test_drain_does_not_start_the_day_of_deferrals_again(house: House) -> None:
    _, claim = await house.start()
    for outcome in (Deferred(seconds=0, why="x"), GivenBack()):
        await house.settle(claim, outcome)
        house.wait(13 * HOUR)
        claim = await house.claim(await house.worker(), claim.run_id)
    settled = await house.settle(claim, Deferred(seconds=0, why="x"))
    assert settled.status is RunStatus.FAILED


async def test_five_losses_fail_the_run_and_free_its_session(house: House) -> None:
    session, claim = await house.start()
    behind = await house.post(session)
    for loss in range(5):
        assert claim.losses == loss
        settled = await house.settle(claim, GivenBack(lost=True))
        if loss < 4:
            assert (settled.status, (await house.run(claim.run_id)).attempt) == ("queued", 0)
            claim = await house.claim(await house.worker(), claim.run_id)
    run = await house.run(claim.run_id)
    assert run.error is not None
    assert (run.status, run.error.code) == (RunStatus.FAILED, "worker_lost")
    assert len(run.attempts) == 5
    assert await dispatch(house, behind.run.id) == "ready"


async def test_drain_refunds_however_often(house: House) -> None:
    session, claim = await house.start()
    for _ in range(7):
        await house.settle(claim, GivenBack())
        claim = await house.claim(await house.worker(), claim.run_id)
        assert (claim.attempt, claim.losses) == (1, 0)
    await house.answer(claim)
    assert [m.content for m in await house.messages(session)] == ["hi", "yes"]


async def test_the_dead_are_buried_and_what_they_held_comes_back(open_it: Open) -> None:
    async with open_it(lease_seconds=1e-6) as house:
        _, claim = await house.start()
        _, other = await house.start()
        [dead, living] = await house.rows(workers.select().order_by(workers.c.id))
        await house.platform.upkeep.sweep()
        await house.platform.execution.beat(WorkerId(living.id), 1)
        await house.platform.upkeep.sweep()
        run = await house.run(claim.run_id)
        assert (run.status, run.attempt) == (RunStatus.QUEUED, 0)
        assert (await house.run(other.run_id)).status is RunStatus.RUNNING
        assert not await house.platform.execution.beat(WorkerId(dead.id), 1)
        assert not (await house.answer(claim)).accepted
        again = await house.claim(WorkerId(living.id), claim.run_id)
        assert again.losses == 1
        assert await house.findings() == []


async def test_a_restart_of_the_single_process_gives_its_claims_back(open_it: Open) -> None:
    async with open_it() as house:
        if not house.store.sqlite:
            return  # there the others live on
        session, claim = await house.start()
    async with open_it() as house:
        again = await house.claim(await house.worker(), claim.run_id)
        assert (again.attempt, again.losses) == (1, 1)
        assert not (await house.answer(claim)).accepted
        await house.answer(again)
        assert len(await house.messages(session)) == 2


async def test_history_holds_the_turns_before_a_run_in_order(house: House) -> None:
    session = await house.session("historian")
    posted = [await house.post(session, content) for content in ("one", "two", "three", "four")]
    worker = await house.worker()
    outcomes: tuple[Outcome, ...] = (
        Succeeded(reply=Reply(content="1")),
        Failed(error=ERROR),
        Succeeded(reply=Reply(content="3")),
    )
    claims = []
    for accepted, outcome in zip(posted[:3], outcomes, strict=True):
        claims.append(await house.claim(worker, accepted.run.id))
        await house.settle(claims[-1], outcome)
    assignment = await house.platform.execution.load(await house.claim(worker, posted[3].run.id))
    said = [m.content for m in assignment.context]
    assert (said, assignment.messages) == (["one", "1", "two", "three", "3"], (posted[3].message,))
    early = await house.platform.execution.load(claims[1])
    assert [m.content for m in early.context] == ["one", "1"]


async def test_who_was_given_up_for_lost_is_refused_and_counted(house: House) -> None:
    session, claim = await house.start()
    await house.settle(claim, GivenBack(lost=True))
    refused = telemetry.REFUSED_WRITES._value.get()  # noqa: SLF001  (no public reader)
    outcomes: tuple[Outcome, ...] = (
        Succeeded(reply=Reply(content="late")),
        Failed(error=ERROR),
        Retrying(seconds=1, error=ERROR),
        Deferred(seconds=1, why="x"),
        Paused(approvals=()),
    )
    for outcome in outcomes:
        assert not (await house.settle(claim, outcome)).accepted
    assert telemetry.REFUSED_WRITES._value.get() == refused + 5  # noqa: SLF001
    assert len(await house.messages(session)) == 1
