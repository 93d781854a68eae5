"""`retry` makes a new run for the same messages; what is terminal stays as it is."""

import pytest

from shared.domain.errors import NotRetryable, SessionQueueFull
from shared.domain.message import Reply
from shared.domain.outcome import Failed
from shared.domain.paging import Page
from shared.domain.requests import RunFilter
from shared.domain.run import RunError, RunStatus
from shared.domain.session import SessionStatus
from tests.platforms import House

FAILED = Failed(error=RunError(code="x", message="x"), partial=Reply(content="so f"))


async def test_a_failed_run_is_tried_again_as_a_new_one(house: House) -> None:
    session = await house.session("historian")
    posted = await house.post(session, "why?", inputs={"n": 1}, priority=7)
    worker = await house.worker()
    first = await house.claim(worker, posted.run.id)
    await house.settle(first, FAILED)
    failed = await house.run(first.run_id)
    again = await house.platform.runs.retry(house.me, first.run_id, correlation_id="second")
    assert (again.status, again.retry_of) == (RunStatus.QUEUED, first.run_id)
    assert (again.correlation_id, again.priority, again.attempt) == ("second", 7, 0)
    assert again.message_ids == (posted.message.id,)
    assert await house.run(first.run_id) == failed
    claim = await house.claim(worker, again.id)
    assignment = await house.platform.execution.load(claim)
    assert ([m.content for m in assignment.messages], assignment.inputs) == (["why?"], {"n": 1})
    assert [m.content for m in assignment.context] == ["so f"]
    await house.answer(claim, "because")
    after = await house.look(session)
    assert (after.status, after.message_count) == (SessionStatus.IDLE, 3)


async def test_it_joins_the_end_of_the_line(house: House) -> None:
    session, claim = await house.start()
    await house.settle(claim, FAILED)
    ahead = await house.post(session)
    again = await house.platform.runs.retry(house.me, claim.run_id, correlation_id="c")
    assert again.waiting_for is not None
    assert again.waiting_for.cause == "session_busy"
    await house.answer(await house.claim(await house.worker(), ahead.run.id))
    await house.answer(await house.claim(await house.worker(), again.id))
    listing = await house.platform.runs.list(house.me, RunFilter(session_id=session.id), Page())
    assert [run.id for run in listing.data] == [claim.run_id, ahead.run.id, again.id]
    assert (await house.look(session)).queue_depth == 0


async def test_a_full_line_takes_no_retry(house: House) -> None:
    session, claim = await house.start()
    await house.settle(claim, FAILED)
    for _ in range(house.platform.settings.max_queued_per_session):
        await house.post(session)
    with pytest.raises(SessionQueueFull):
        await house.platform.runs.retry(house.me, claim.run_id, correlation_id="c")


async def test_a_cancelled_run_may_be_tried_again(house: House) -> None:
    session = await house.session()
    posted = await house.post(session, "well?")
    await house.platform.runs.cancel(house.me, posted.run.id, reason=None)
    again = await house.platform.runs.retry(house.me, posted.run.id, correlation_id="c")
    claim = await house.claim(await house.worker(), again.id)
    assignment = await house.platform.execution.load(claim)
    assert [m.content for m in assignment.messages] == ["well?"]
    await house.answer(claim)


async def test_what_is_not_over_or_went_well_is_not_retried(house: House) -> None:
    session, claim = await house.start()
    queued = await house.post(session)
    retry = house.platform.runs.retry
    for run_id in (queued.run.id, claim.run_id):
        with pytest.raises(NotRetryable):
            await retry(house.me, run_id, correlation_id="c")
    await house.answer(claim)
    with pytest.raises(NotRetryable, match="succeeded"):
        await retry(house.me, claim.run_id, correlation_id="c")
    assert (await house.look(session)).queue_depth == 1
