"""What a message does about a busy line, and what later prompts show of it."""

from dataclasses import replace

import pytest

from shared.domain.errors import SessionBusy, SessionQueueFull
from shared.domain.execution import Refusal
from shared.domain.message import Message, Reply
from shared.domain.outcome import Failed, Outcome, Paused, Retrying, Succeeded
from shared.domain.requests import Accepted
from shared.domain.run import Approval, OnBusy, RunError, RunStatus
from shared.domain.session import Session, SessionStatus
from shared.ids import MessageId, RunId, new_id
from shared.storage import intake
from shared.storage.schema import runs
from tests.platforms import House, a_message

ERROR = RunError(code="x", message="x")
PAUSED = Paused(approvals=(Approval(call_id="1", tool="pay", arguments=None),))
CLEARING = [OnBusy.INTERRUPT, OnBusy.ROLLBACK]


def at_the_door(house: House, session: Session, content: str, on_busy: OnBusy) -> intake.Intake:
    return intake.Intake(
        principal=house.me,
        new=a_message(session.id, content, on_busy=on_busy),
        message_id=MessageId(new_id()),
        run_id=RunId(new_id()),
        max_queued=5,
    )


async def accept(house: House, *items: intake.Intake) -> list[Accepted]:
    async with house.store.transaction() as transaction:
        results = await intake.accept(house.store, transaction, items)
    return [result for result in results if isinstance(result, Accepted)]


async def prompt(house: House, accepted: Accepted) -> list[tuple[str, bool]]:
    """What an agent that reads history is told before the run's own message."""
    claim = await house.claim(await house.worker(), accepted.run.id)
    assignment = await house.platform.execution.load(claim)
    await house.answer(claim, "the end")
    return [told(message) for message in assignment.context]


def told(message: Message) -> tuple[str, bool]:
    return str(message.content), message.interrupted


async def test_reject_is_refused_by_a_busy_line_alone(house: House) -> None:
    session = await house.session()
    head = await house.post(session, on_busy=OnBusy.REJECT)
    before = await house.look(session)
    with pytest.raises(SessionBusy):
        await house.post(session, on_busy=OnBusy.REJECT)
    assert await house.look(session) == before
    claim = await house.claim(await house.worker(), head.run.id)
    with pytest.raises(SessionBusy):
        await house.post(session, on_busy=OnBusy.REJECT)
    await house.answer(claim)
    await house.post(session, on_busy=OnBusy.REJECT)


@pytest.mark.parametrize("policy", CLEARING)
async def test_every_unfinished_run_makes_room(house: House, policy: OnBusy) -> None:
    session, claim = await house.start("running", agent="historian")
    queued = [await house.post(session, str(n)) for n in range(2)]
    last = await house.post(session, "last", on_busy=policy)
    assert last.cancelled_runs == (claim.run_id, *(each.run.id for each in queued))
    assert last.told_runs == (claim.run_id,)
    assert last.run.waiting_for is not None
    assert last.run.waiting_for.run_id == claim.run_id
    statuses = [(await house.run(run_id)).status for run_id in last.cancelled_runs]
    assert statuses == [RunStatus.RUNNING, RunStatus.CANCELLED, RunStatus.CANCELLED]
    assert (await house.look(session)).queue_depth == 1
    await house.settle(claim, Failed(error=ERROR, partial=Reply(content="so f")))
    assert (await house.run(claim.run_id)).status is RunStatus.CANCELLED
    turns = [("running", True), ("so f", True), ("0", True), ("1", True)]
    assert await prompt(house, last) == (turns if policy is OnBusy.INTERRUPT else [])


@pytest.mark.parametrize("policy", CLEARING)
@pytest.mark.parametrize("outcome", [PAUSED, Retrying(seconds=60, error=ERROR)])
async def test_a_run_between_two_attempts_ends_at_once(
    house: House, policy: OnBusy, outcome: Outcome
) -> None:
    session, claim = await house.start("first", agent="historian")
    await house.settle(claim, outcome)
    last = await house.post(session, "last", on_busy=policy)
    assert (last.cancelled_runs, last.told_runs) == ((claim.run_id,), ())
    assert last.run.waiting_for is not None
    assert last.run.waiting_for.cause == "queue_depth"
    assert (await house.look(session)).status is SessionStatus.QUEUED
    kept = policy is OnBusy.INTERRUPT
    assert await prompt(house, last) == ([("first", True)] if kept else [])


@pytest.mark.parametrize("policy", CLEARING)
async def test_what_was_over_stays_as_it_was(house: House, policy: OnBusy) -> None:
    session, claim = await house.start("first", agent="historian")
    await house.settle(claim, Succeeded(reply=Reply(content="yes")))
    run, said = await house.run(claim.run_id), await house.messages(session)
    last = await house.post(session, "last", on_busy=policy)
    assert last.cancelled_runs == ()
    assert await house.run(claim.run_id) == run
    assert (await house.messages(session))[:-1] == said
    assert await prompt(house, last) == [("first", False), ("yes", False)]


async def test_an_earlier_cancel_keeps_its_words_and_its_turn_goes(house: House) -> None:
    session, claim = await house.start("first", agent="historian")
    await house.platform.runs.cancel(house.me, claim.run_id, reason="enough")
    asked = (await house.run(claim.run_id)).cancel
    last = await house.post(session, on_busy=OnBusy.ROLLBACK)
    assert last.cancelled_runs == last.told_runs == (claim.run_id,)
    assert (await house.run(claim.run_id)).cancel == asked
    await house.answer(claim, "too late")
    assert await prompt(house, last) == []


async def test_a_retried_turn_is_not_interrupted_any_more(house: House) -> None:
    session = await house.session("historian")
    first = await house.post(session, "first")
    second = await house.post(session, "second", on_busy=OnBusy.ROLLBACK)
    again = await house.platform.runs.retry(house.me, first.run.id, correlation_id="c")
    last = await house.post(session, "last")
    assert await prompt(house, second) == []
    await house.answer(await house.claim(await house.worker(), again.id), "yes")
    turns = ["second", "the end", "first", "yes"]
    assert await prompt(house, last) == [(each, False) for each in turns]


async def test_a_full_line_can_be_interrupted_and_joined(house: House) -> None:
    session = await house.session()
    for _ in range(4):
        await house.post(session)
    tail = await house.post(session, on_busy=OnBusy.COALESCE)
    with pytest.raises(SessionQueueFull):
        await house.post(session)
    joined = await house.post(session, on_busy=OnBusy.COALESCE)
    assert joined.run.id == tail.run.id
    with pytest.raises(SessionQueueFull):
        await house.post(session, on_busy=OnBusy.COALESCE, priority=1)
    last = await house.post(session, on_busy=OnBusy.INTERRUPT)
    assert len(last.cancelled_runs) == 5
    assert (await house.look(session)).queue_depth == 1


async def test_a_batch_does_what_its_messages_would_one_by_one(house: House) -> None:
    session = await house.session()
    policies = ["coalesce", "coalesce", "interrupt", "coalesce", "coalesce", "enqueue", "rollback"]
    items = [at_the_door(house, session, each, OnBusy(each)) for each in policies]
    told = await accept(house, *items)
    ids = [each.run_id for each in items]
    answered = [ids[0], ids[0], ids[2], ids[3], ids[3], ids[5], ids[6]]
    assert [each.run.id for each in told] == answered
    assert told[2].cancelled_runs == (ids[0],)
    assert told[6].cancelled_runs == (ids[2], ids[3], ids[5])
    assert told[4].run.message_ids == (items[3].message_id, items[4].message_id)
    stored = [run.id for run in await house.rows(runs.select().order_by(runs.c.seq))]
    assert stored == [ids[0], ids[2], ids[3], ids[5], ids[6]]
    assert [m.interrupted for m in await house.messages(session)] == [True] * 6 + [False]


async def test_a_replay_gives_the_same_answer(house: House) -> None:
    session, claim = await house.start()
    tail = at_the_door(house, session, "1", OnBusy.COALESCE)
    joins = at_the_door(house, session, "2", OnBusy.COALESCE)
    first = await accept(house, tail, joins)
    assert [standing(each) for each in await accept(house, joins, tail)] == [
        standing(first[1]), standing(replace(first[0], run=first[1].run)),
    ]  # fmt: skip
    clears = at_the_door(house, session, "3", OnBusy.INTERRUPT)
    [cleared] = await accept(house, clears)
    assert cleared.cancelled_runs == (claim.run_id, tail.run_id)
    [again] = await accept(house, clears)
    assert (again.cancelled_runs, again.told_runs) == (cleared.cancelled_runs, cleared.told_runs)
    assert (await house.look(session)).message_count == 4


def standing(accepted: Accepted) -> Accepted:
    """A receipt, but for what is told of the wait."""
    return replace(accepted, run=replace(accepted.run, waiting_for=None))


async def test_the_worker_of_an_interrupted_run_is_told(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[RunId] = []
    signals = house.platform.intake._signals  # noqa: SLF001
    monkeypatch.setattr(signals, "cancel_requested", told.append)
    session, claim = await house.start()
    queued = await house.post(session)
    await house.post(session, on_busy=OnBusy.INTERRUPT)
    assert told == [claim.run_id]
    worker = await house.worker()
    assert await house.platform.execution.claim(worker, queued.run.id) is Refusal.NOT_CLAIMABLE
