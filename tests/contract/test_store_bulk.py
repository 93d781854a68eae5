"""Many runs at once: by what they have in common, so many a call, none twice."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from shared.domain.errors import NotFound
from shared.domain.operations import Selection, Tally
from shared.domain.outcome import Failed
from shared.domain.principal import DEFAULT_TENANT, Principal, Scope
from shared.domain.requests import NewSession
from shared.domain.run import ErrorCode, Run, RunError, RunStatus
from shared.domain.session import Session
from shared.ids import RunId
from shared.storage import bulk
from shared.storage.schema import runs, sessions
from tests.platforms import House, a_message

ADA = Principal(tenant=DEFAULT_TENANT, user_id="ada", scope=Scope.USER)
BROKEN = Failed(error=RunError(code=ErrorCode.AGENT_ERROR, message="no"))


async def failed(house: House, session: Session | None = None) -> RunId:
    """Let a run of ada's fail."""
    session = session or await house.platform.sessions.create(ADA, NewSession(agent="echo"))
    run = (await house.platform.intake.accept(ADA, a_message(session.id))).run
    claim = await house.claim(await house.worker(), run.id)
    assert (await house.settle(claim, BROKEN)).accepted
    return run.id


async def mine(house: House, session: Session) -> Run:
    new = replace(a_message(session.id), correlation_id="mine")
    return (await house.platform.intake.accept(house.me, new)).run


async def cancel(house: House, limit: int = 1000, **filters: Any) -> Tally:  # noqa: ANN401
    selection = Selection(limit=limit, **filters)
    return await house.platform.bulk.cancel(house.me, selection, reason="enough")


async def retry(house: House, limit: int = 1000) -> Tally:
    selection = Selection(limit=limit, status=RunStatus.FAILED)
    return await house.platform.bulk.retry(house.me, selection)


async def test_whole_lines_are_cancelled_and_who_runs_is_told(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[RunId] = []
    monkeypatch.setattr(house.platform.signals, "cancel_requested", told.append)
    session, claim = await house.start()
    others = [(await house.post(session)).run.id for _ in range(3)]
    spared = await house.post(await house.session("elsewhere"))
    assert await cancel(house, pool="default") == Tally(count=4, more=False)
    assert told == [claim.run_id]
    for run_id in others:
        run = await house.run(run_id)
        assert (run.status, run.cancel and run.cancel.reason) == (RunStatus.CANCELLED, "enough")
    running = await house.run(claim.run_id)
    assert (running.status, running.cancel is None) == (RunStatus.RUNNING, False)
    assert (await house.run(spared.run.id)).status is RunStatus.QUEUED
    assert await cancel(house, pool="default") == Tally(count=0, more=False)
    await house.answer(claim)
    assert (await house.look(session)).queue_depth == 0


async def test_it_stops_at_its_limit_and_goes_on_where_it_stopped(house: House) -> None:
    for _ in range(2):
        session = await house.session()
        for _ in range(4):
            await house.post(session)
    tallies = [await cancel(house, 3, agent="echo") for _ in range(3)]
    assert tallies == [
        Tally(count=3, more=True),
        Tally(count=3, more=True),
        Tally(count=2, more=False),
    ]
    assert await house.count(runs, runs.c.settled_at.is_(None)) == 0


@pytest.mark.parametrize(
    "filters",
    [
        lambda run: {"session_id": run.session_id},
        lambda _: {"correlation_id": "mine"},
        lambda _: {"agent": "echo"},
        lambda _: {"pool": "default"},
        lambda _: {"agent": "echo", "status": RunStatus.QUEUED},
        lambda run: {"created_before": run.stored_at + 1},
    ],
)
async def test_every_filter_narrows(house: House, filters: Callable[[Run], dict[str, Any]]) -> None:
    run = await mine(house, await house.session())
    other = (await house.post(await house.session("elsewhere"))).run
    later = runs.update().where(runs.c.id == other.id).values(stored_at=run.stored_at + 9)
    await house.write(later)
    assert await cancel(house, **filters(run)) == Tally(count=1, more=False)
    assert (await house.run(run.id)).status is RunStatus.CANCELLED
    assert await cancel(house, created_after=run.stored_at + 9) == Tally(count=0, more=False)
    assert await cancel(house, created_after=run.stored_at) == Tally(count=1, more=False)


async def test_an_agent_that_is_not_there_is_not_found(house: House) -> None:
    with pytest.raises(NotFound):
        await cancel(house, agent="nobody")


async def test_what_failed_is_queued_again_for_whom_it_was_and_only_once(house: House) -> None:
    first, second = await failed(house), await failed(house)
    assert await retry(house, 1) == Tally(count=1, more=True)
    assert await retry(house) == Tally(count=1, more=False)
    assert await retry(house) == Tally(count=0, more=False)
    for run_id in (first, second):
        [again] = await house.rows(sa.select(runs).where(runs.c.retry_of == run_id))
        assert (again.principal_id, again.status) == (ADA.id, RunStatus.QUEUED)
        assert again.correlation_id == "test"
        claim = await house.claim(await house.worker(), again.id)
        await house.settle(claim, BROKEN)
    assert await retry(house) == Tally(count=2, more=False)


async def test_two_operators_at_once_retry_each_run_once(house: House) -> None:
    run_id = await failed(house)
    selection = Selection(limit=10, status=RunStatus.FAILED)
    async with house.store.reading() as reading:
        chosen = await bulk.retryable(reading, selection, None, 5)
    counts = []
    for _ in range(2):  # both have looked before either retries
        async with house.store.transaction() as transaction:
            changed = await bulk.retry(house.store, transaction, house.me, chosen, 5)
            counts.append(changed.count)
    assert counts == [1, 0]
    assert await house.count(runs, runs.c.retry_of == run_id) == 1


async def test_who_cannot_be_retried_stands_in_nobodys_way(house: House) -> None:
    gone, ended, full, sound = [
        await house.platform.sessions.create(ADA, NewSession(agent="echo")) for _ in range(4)
    ]
    for session in (gone, ended, full, sound):
        await failed(house, session)
    await house.platform.sessions.delete(ADA, gone.id)
    ending = sessions.update().where(sessions.c.id == ended.id)
    await house.write(ending.values(ended_at=sessions.c.created_at))
    for _ in range(5):
        await house.platform.intake.accept(ADA, a_message(full.id))
    assert await retry(house, 1) == Tally(count=1, more=False)
    assert (await house.look(sound)).queue_depth == 1


async def test_more_than_share_a_transaction_are_all_cancelled(house: House) -> None:
    for _ in range(13):
        session = await house.session()
        for _ in range(4):
            await house.post(session)
    assert await cancel(house, agent="echo") == Tally(count=52, more=False)
    assert await house.count(sessions, sessions.c.queue_depth > 0) == 0
