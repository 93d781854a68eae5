"""A cancel is a flag, and one that committed first always wins."""

import pytest

from shared.domain.errors import NotFound
from shared.domain.execution import Refusal
from shared.domain.message import Reply
from shared.domain.outcome import (
    Deferred,
    Failed,
    GivenBack,
    Outcome,
    Paused,
    Retrying,
    Succeeded,
)
from shared.domain.paging import Page
from shared.domain.principal import Principal, Scope
from shared.domain.requests import MessageFilter, RunFilter, SessionFilter
from shared.domain.run import Approval, RunError, RunStatus
from shared.domain.session import SessionStatus
from shared.storage import upkeep
from shared.storage.schema import messages, metadata, runs, sessions
from tests.platforms import House, a_message

ERROR = RunError(code="x", message="x")
APPROVAL = Approval(call_id="1", tool="pay", arguments=None)
BOOKKEEPING = {"agents", "pools", "keys", "workers"}


async def cancel(house: House, run_id: object, reason: str | None = "enough") -> RunStatus:
    run = await house.platform.runs.cancel(house.me, run_id, reason=reason)  # type: ignore[arg-type]
    return run.status


async def test_a_queued_run_ends_at_once_and_the_next_is_ready(house: House) -> None:
    session = await house.session()
    first, second = await house.post(session), await house.post(session)
    assert await cancel(house, first.run.id) is RunStatus.CANCELLED
    worker = await house.worker()
    assert await house.platform.execution.claim(worker, first.run.id) is Refusal.NOT_CLAIMABLE
    await house.claim(worker, second.run.id)
    run = await house.run(first.run.id)
    assert run.cancel is not None
    assert (run.cancel.reason, run.output) == ("enough", None)


async def test_one_in_the_middle_leaves_the_line_as_it_was(house: House) -> None:
    session, _ = await house.start()
    middle, last = await house.post(session), await house.post(session)
    await cancel(house, middle.run.id)
    after = await house.look(session)
    assert (after.status, after.queue_depth) == (SessionStatus.RUNNING, 1)
    [row] = await house.rows(runs.select().where(runs.c.id == last.run.id))
    assert row.dispatch == "blocked"


@pytest.mark.parametrize(
    ("outcome", "text"),
    [
        (Succeeded(reply=Reply(content="the whole answer")), "the whole answer"),
        (Failed(error=ERROR, partial=Reply(content="so far")), "so far"),
        (Failed(error=ERROR), None),
        (Retrying(seconds=9, error=ERROR), None),
        (Deferred(seconds=9, why="x"), None),
        (Paused(approvals=(APPROVAL,)), None),
        (GivenBack(), None),
        (GivenBack(lost=True), None),
    ],
)
async def test_a_running_run_ends_cancelled_whatever_its_outcome(
    house: House, outcome: Outcome, text: str | None
) -> None:
    session, claim = await house.start()
    behind = await house.post(session)
    assert await cancel(house, claim.run_id) is RunStatus.RUNNING
    settled = await house.settle(claim, outcome)
    assert (settled.accepted, settled.status) == (True, RunStatus.CANCELLED)
    run, said = await house.run(claim.run_id), await house.messages(session)
    assert (run.error, run.attempts[0].outcome) == (None, "cancel")
    answers = [(m.content, m.interrupted) for m in said if m.role == "assistant"]
    assert answers == ([(text, True)] if text else [])
    assert (run.output and run.output.content) == text
    await house.claim(await house.worker(), behind.run.id)


async def test_a_cancel_that_came_too_late_changes_nothing(house: House) -> None:
    session, claim = await house.start()
    await house.answer(claim)
    run, before = await house.run(claim.run_id), await house.look(session)
    assert await cancel(house, claim.run_id) is RunStatus.SUCCEEDED
    assert await house.run(claim.run_id) == run
    assert await house.look(session) == before


async def test_the_first_cancel_is_the_one_that_counts(house: House) -> None:
    _, claim = await house.start()
    await cancel(house, claim.run_id, "first")
    run = await house.run(claim.run_id)
    await cancel(house, claim.run_id, "second")
    assert await house.run(claim.run_id) == run


async def test_a_waiting_run_ends_at_once(house: House) -> None:
    session, claim = await house.start()
    behind = await house.post(session)
    await house.settle(claim, Paused(approvals=(APPROVAL,)))
    assert await cancel(house, claim.run_id) is RunStatus.CANCELLED
    assert (await house.look(session)).active_run is None
    await house.claim(await house.worker(), behind.run.id)


async def test_what_never_started_leaves_the_context_and_what_did_stays(house: House) -> None:
    session = await house.session("historian")
    started, never = await house.post(session, "started"), await house.post(session, "never")
    last = await house.post(session, "last")
    worker = await house.worker()
    claim = await house.claim(worker, started.run.id)
    await cancel(house, started.run.id)
    await house.settle(claim, Failed(error=ERROR, partial=Reply(content="so f")))
    await cancel(house, never.run.id)
    assignment = await house.platform.execution.load(await house.claim(worker, last.run.id))
    assert [m.content for m in assignment.context] == ["started", "so f"]
    assert [m.content for m in await house.messages(session)] == [
        "started",
        "never",
        "last",
        "so f",
    ]


async def test_a_deleted_session_is_gone_everywhere_at_once(house: House) -> None:
    platform, me = house.platform, house.me
    session, claim = await house.start()
    queued = await house.post(session)
    await platform.sessions.delete(me, session.id)
    attempts = (
        platform.sessions.get(me, session.id),
        platform.sessions.delete(me, session.id),
        platform.messages.list(me, MessageFilter(session_id=session.id), Page()),
        platform.runs.list(me, RunFilter(session_id=session.id), Page()),
        platform.runs.get(me, claim.run_id),
        platform.runs.cancel(me, claim.run_id, reason=None),
        platform.runs.retry(me, queued.run.id, correlation_id="c"),
        platform.runs.retrieved_context(me, claim.run_id),
        platform.intake.accept(me, a_message(session.id)),
    )
    for attempt in attempts:
        with pytest.raises(NotFound):
            await attempt
    assert (await platform.sessions.list(me, SessionFilter(), Page())).data == ()
    assert (await platform.messages.list(me, MessageFilter(), Page())).data == ()
    assert (await platform.runs.list(me, RunFilter(), Page())).data == ()


async def test_the_rows_of_a_deleted_session_go_once_nothing_is_live(house: House) -> None:
    kept = await house.session()
    await house.post(kept)
    session, claim = await house.start()
    queued = await house.post(session)
    await house.platform.sessions.delete(house.me, session.id)
    worker = await house.worker()
    assert await house.platform.execution.claim(worker, queued.run.id) is Refusal.NOT_CLAIMABLE
    [held] = [each for each in await house.rows(runs.select()) if each.status == "running"]
    assert held.cancel_requested_at is not None
    await house.platform.upkeep.sweep()
    assert await house.count(sessions) == 2
    settled = await house.answer(claim)
    assert (settled.accepted, settled.status) == (True, RunStatus.CANCELLED)
    await house.platform.upkeep.sweep()
    assert await house.count(sessions) == 1
    for table in metadata.sorted_tables:
        if table.name not in BOOKKEEPING:
            assert await house.count(table) <= 1, table.name
    assert (await house.look(kept)).queue_depth == 1


async def test_much_is_removed_in_small_transactions(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "_REMOVED_AT_ONCE", 2)
    session = await house.session()
    for _ in range(3):
        await house.post(session)
    await house.platform.sessions.delete(house.me, session.id)
    async with house.store.transaction() as transaction:
        assert await upkeep.remove_deleted(transaction) is True
    assert [await house.count(each) for each in (runs, messages, sessions)] == [1, 3, 1]
    await house.platform.upkeep.sweep()
    assert [await house.count(each) for each in (runs, messages, sessions)] == [0, 0, 0]


async def test_who_cancelled_is_remembered(house: House) -> None:
    anna = Principal(tenant="default", user_id="anna", scope=Scope.USER)
    session = await house.session(user_id="anna")
    accepted = await house.post(session)
    run = await house.platform.runs.cancel(anna, accepted.run.id, reason=None)
    assert run.cancel is not None
    assert (run.cancel.by, run.cancel.reason) == ("anna", None)
