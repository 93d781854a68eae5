"""`deadline`: a run that nobody started in time fails, wherever it waits."""

from typing import Any

import pytest
import sqlalchemy as sa

from shared.clock import after
from shared.domain.errors import ValidationFailed
from shared.domain.execution import Refusal
from shared.domain.outcome import Deferred, Paused, Retrying
from shared.domain.requests import Accepted, Decision
from shared.domain.run import Approval, RunError, RunStatus
from shared.domain.session import Session, SessionStatus
from shared.ids import RunId
from shared.storage.schema import runs
from tests.contract.test_store_scheduled import HOUR, cause, pass_
from tests.platforms import House

ERROR = RunError(code="x", message="x")


async def late(house: House, session: Session, **more: Any) -> Accepted:  # noqa: ANN401
    return await house.post(session, deadline=await house.at(HOUR), **more)


async def failed(house: House, run_id: RunId) -> str | None:
    run = await house.run(run_id)
    assert run.status is RunStatus.FAILED
    return run.error.code if run.error else None


async def test_a_late_run_fails_and_the_next_has_its_turn(house: House) -> None:
    session = await house.session()
    first, second = await late(house, session), await house.post(session)
    before = await house.look(session)
    await pass_(house, HOUR)
    assert await failed(house, first.run.id) == "deadline_passed"
    assert cause(await house.run(second.run.id)) == "no_worker"
    assert house.said[-1] == "default"
    after_ = await house.look(session)
    assert (after_.queue_depth, after_.version > before.version) == (1, True)


async def test_a_claim_does_not_start_what_is_late(house: House) -> None:
    session = await house.session()
    first, second = await late(house, session), await house.post(session)
    house.wait(HOUR)
    house.said.clear()
    worker = await house.worker()
    assert await house.platform.execution.claim(worker, first.run.id) is Refusal.NOT_CLAIMABLE
    assert await failed(house, first.run.id) == "deadline_passed"
    assert (await house.run(first.run.id)).attempts == ()
    assert house.said == ["default"]
    await house.claim(worker, second.run.id)


async def test_what_waits_between_attempts_fails_too_and_what_runs_goes_on(house: House) -> None:
    session = await house.session()
    first = await late(house, session)
    worker = await house.worker()
    claim = await house.claim(worker, first.run.id)
    assert claim.deadline_at is not None
    await pass_(house, HOUR)
    assert (await house.run(first.run.id)).status is RunStatus.RUNNING
    await house.settle(claim, Deferred(seconds=HOUR, why="x"))
    await pass_(house, 0)
    assert await failed(house, first.run.id) == "deadline_passed"
    second = await late(house, session)
    claim = await house.claim(worker, second.run.id)
    await house.settle(claim, Retrying(seconds=2 * HOUR, error=ERROR))
    await pass_(house, HOUR)
    assert await failed(house, second.run.id) == "deadline_passed"


async def test_what_waits_for_a_human_is_late_once_it_is_resumed(house: House) -> None:
    session = await house.session()
    accepted = await late(house, session)
    claim = await house.claim(await house.worker(), accepted.run.id)
    approvals = (Approval(call_id="1", tool="pay", arguments=None),)
    await house.settle(claim, Paused(approvals=approvals))
    await pass_(house, HOUR)
    assert (await house.run(accepted.run.id)).status is RunStatus.WAITING
    decisions = (Decision(call_id="1", approved=True),)
    await house.platform.runs.resume(house.me, accepted.run.id, decisions)
    await pass_(house, 0)
    assert await failed(house, accepted.run.id) == "deadline_passed"


async def test_one_that_is_due_and_late_at_once_has_its_place(house: House) -> None:
    session = await house.session()
    accepted = await house.post(
        session, not_before=await house.at(HOUR), deadline=await house.at(2 * HOUR)
    )
    await pass_(house, 3 * HOUR)
    assert await failed(house, accepted.run.id) == "deadline_passed"
    assert [m.id for m in await house.messages(session)] == [accepted.message.id]
    seen = await house.look(session)
    assert (seen.status, seen.queue_depth) == (SessionStatus.ERROR, 0)


@pytest.mark.parametrize("left", [HOUR, 0.0])
async def test_a_retry_keeps_the_deadline_while_it_can_be_kept(house: House, left: float) -> None:
    session = await house.session()
    accepted = await late(house, session)
    await house.platform.runs.cancel(house.me, accepted.run.id, reason=None)
    house.wait(HOUR - left)
    again = await house.platform.runs.retry(house.me, accepted.run.id, correlation_id="c")
    [row] = await house.rows(sa.select(runs).where(runs.c.id == again.id))
    assert (row.deadline_at is not None) == bool(left)


@pytest.mark.parametrize(
    ("not_before", "deadline", "field"),
    [(None, 0, "deadline"), (HOUR, HOUR, "deadline"), (367 * 24 * HOUR, None, "not_before")],
)
async def test_times_that_cannot_be_kept_are_refused(
    house: House, not_before: float | None, deadline: float | None, field: str
) -> None:
    session = await house.session()
    house.wait(-HOUR)  # the database's clock is the one that counts
    now = await house.at(0)
    asked = {"not_before": not_before, "deadline": deadline}
    times: dict[str, Any] = {
        name: after(now, seconds) for name, seconds in asked.items() if seconds is not None
    }
    with pytest.raises(ValidationFailed) as refused:
        await house.post(session, **times)
    assert refused.value.errors[0].loc == ("body", field)
    assert await house.count(runs) == 0
