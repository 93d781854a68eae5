"""Intake: accepted means stored, in order, once."""

import asyncio
import itertools
from dataclasses import replace

import pytest
from sqlalchemy.exc import IntegrityError

from shared.clock import MILLISECOND
from shared.domain.errors import NotFound, Overloaded, QueueFull, SessionEnded, SessionQueueFull
from shared.domain.jsontypes import JsonObject
from shared.domain.limits import QueueBounds
from shared.domain.message import Role
from shared.domain.requests import Accepted, NewMessage
from shared.domain.run import RunStatus
from shared.domain.session import Session, SessionStatus
from shared.ids import MessageId, RunId, SessionId, new_id
from shared.storage import intake
from shared.storage.schema import messages, runs, sessions
from tests.contract.conftest import Open
from tests.platforms import House, a_message


def at_the_door(house: House, session: Session, content: str = "hi") -> intake.Intake:
    return intake.Intake(
        principal=house.me,
        new=a_message(session.id, content, inputs={"n": 1}),
        message_id=MessageId(new_id()),
        run_id=RunId(new_id()),
        max_queued=5,
    )


async def accept(house: House, *items: intake.Intake) -> list[Accepted]:
    async with house.store.transaction() as transaction:
        results = await intake.accept(house.store, transaction, items)
    assert all(isinstance(result, Accepted) for result in results)
    return [result for result in results if isinstance(result, Accepted)]


async def test_a_receipt_says_what_is_stored(house: House) -> None:
    session = await house.session()
    blocks: list[JsonObject] = [{"type": "text", "text": "hällo"}, {"type": "data", "x": [1, None]}]
    new = NewMessage(
        session_id=session.id,
        content=blocks,
        correlation_id="c",
        author_id="a",
        metadata={"k": 1},
        priority=3,
    )
    accepted = await house.platform.intake.accept(house.me, new)
    assert await house.messages(session) == [accepted.message]
    stored = await house.run(accepted.run.id)
    assert replace(stored, waiting_for=accepted.run.waiting_for) == accepted.run
    assert (accepted.run.status, accepted.run.attempt) == (RunStatus.QUEUED, 0)
    assert accepted.run.message_ids == (accepted.message.id,)
    after = await house.look(session)
    assert (after.status, after.queue_depth, after.message_count) == (SessionStatus.QUEUED, 1, 1)


async def test_messages_posted_at_once_keep_one_order(house: House) -> None:
    session = await house.session()
    accepted = await asyncio.gather(*(house.post(session, str(n)) for n in range(5)))
    stored = await house.messages(session)
    assert [m.content for m in stored] == list("01234")
    assert [m.id for m in stored] == [a.message.id for a in accepted]
    seqs = [(a.message.seq, a.run.seq or 0) for a in accepted]
    assert seqs == sorted(seqs)
    instants = [m.created_at for m in stored]
    assert all(earlier < later for earlier, later in itertools.pairwise(instants))


async def test_a_message_is_later_than_the_last_though_the_clock_went_back(house: House) -> None:
    session = await house.session()
    first = await house.post(session)
    house.wait(-3600)
    second = await house.post(session)
    later = second.message.created_at - first.message.created_at
    assert 0 < later <= MILLISECOND


async def test_only_the_head_of_a_line_is_ready(house: House) -> None:
    await house.worker()
    session = await house.session()
    head, second = await house.post(session), await house.post(session)
    rows = await house.rows(runs.select().order_by(runs.c.seq))
    assert [row.dispatch for row in rows] == ["ready", "blocked"]
    shown = [(await house.run(each.run.id)).waiting_for for each in (head, second)]
    assert [waiting and waiting.cause for waiting in shown] == ["queue_depth", "session_busy"]
    receipts = [each.run.waiting_for for each in (head, second)]
    assert [waiting and waiting.cause for waiting in receipts] == ["queue_depth", "session_busy"]


async def test_a_full_line_refuses_and_the_live_run_does_not_count(house: House) -> None:
    session, _ = await house.start()
    results = await asyncio.gather(
        *(house.post(session, str(n)) for n in range(7)), return_exceptions=True
    )
    assert [type(result) for result in results] == [Accepted] * 5 + [SessionQueueFull] * 2
    after = await house.look(session)
    assert (after.queue_depth, after.message_count) == (5, 6)
    assert await house.count(messages) == await house.count(runs) == 6


async def test_what_is_refused_stores_nothing(house: House) -> None:
    ended = await house.session()
    await house.write(sessions.update().where(sessions.c.id == ended.id).values(ended_at=1))
    before = await house.look(ended)
    with pytest.raises(SessionEnded):
        await house.post(ended)
    with pytest.raises(NotFound):
        await house.platform.intake.accept(house.me, a_message(SessionId(new_id())))
    assert await house.look(ended) == before
    assert await house.count(messages) == await house.count(runs) == 0


async def test_an_unknown_commit_is_replayed_to_the_same_answer(house: House) -> None:
    session = await house.session()
    item = at_the_door(house, session)
    [first] = await accept(house, item)
    other = at_the_door(house, session, "other")
    again, new = await accept(house, item, other)
    assert again.message == first.message
    assert (again.run.id, again.run.seq, again.run.stored_at) == (
        first.run.id, first.run.seq, first.run.stored_at,
    )  # fmt: skip
    assert (new.message.seq or 0) > (again.message.seq or 0)
    assert [m.content for m in await house.messages(session)] == ["hi", "other"]
    assert (await house.look(session)).queue_depth == 2


async def test_a_replay_finds_its_run_though_it_has_ended_and_the_line_is_full(
    house: House,
) -> None:
    session = await house.session()
    item = at_the_door(house, session)
    await accept(house, item)
    await house.answer(await house.claim(await house.worker(), item.run_id))
    for _ in range(5):
        await house.post(session)
    before = await house.look(session)
    [again] = await accept(house, item)
    assert again.run.id == item.run_id
    assert await house.look(session) == before


async def test_messages_of_many_sessions_share_a_batch(house: House) -> None:
    made = [await house.session() for _ in range(3)]
    items = [at_the_door(house, session, str(n)) for n, session in enumerate(made * 2)]
    await accept(house, *items)
    for n, session in enumerate(made):
        assert [m.content for m in await house.messages(session)] == [str(n), str(n + 3)]
    assert await house.count(runs, runs.c.dispatch == "ready") == 3


async def test_totals_bound_the_principal_and_the_server(open_it: Open) -> None:
    async with open_it(max_queued_per_principal=2, max_queued=3) as house:
        session = await house.session()
        await house.post(session)
        await house.post(session)
        with pytest.raises(QueueFull):
            await house.post(session)
        await house.platform.intake.refresh_totals()
        with pytest.raises(QueueFull):
            await house.post(session)
        run = (await house.rows(runs.select().order_by(runs.c.seq)))[0]
        await house.platform.runs.cancel(house.me, run.id, reason=None)
        await house.platform.intake.refresh_totals()
        await house.post(session)
        assert (await house.look(session)).queue_depth == 2
    async with open_it(max_queued=2) as house:
        await house.platform.intake.refresh_totals()
        with pytest.raises(Overloaded):
            await house.post(session)


async def test_the_inputs_of_a_message_reach_its_run(house: House) -> None:
    session = await house.session(user_id="anna")
    accepted = await house.post(session, inputs={"city": "Köln"}, metadata={"m": 1})
    claim = await house.claim(await house.worker(), accepted.run.id)
    assignment = await house.platform.execution.load(claim)
    assert (assignment.inputs, assignment.metadata) == ({"city": "Köln"}, {"m": 1})
    assert (assignment.user_id, assignment.agent.name) == ("anna", "echo")
    assert [(m.role, m.content) for m in assignment.messages] == [(Role.USER, "hi")]


def test_the_bounds_are_those_of_the_architecture() -> None:
    assert QueueBounds() == QueueBounds(per_session=100, per_principal=100_000, overall=1_000_000)


async def test_an_error_of_the_database_does_not_repeat_what_was_said(house: House) -> None:
    session = await house.session()
    once, again = at_the_door(house, session), at_the_door(house, session, "a secret")
    await accept(house, once)
    again.message_id = once.message_id
    with pytest.raises(IntegrityError) as error:
        await accept(house, again)
    assert "a secret" not in str(error.value)


async def test_a_file_in_a_block_counts_for_the_size_of_its_batch(house: House) -> None:
    item = at_the_door(house, await house.session())
    files: list[JsonObject] = [{"type": "file", "data": "a" * 5000}, {"type": "text", "text": "b"}]
    item.new = replace(item.new, content=files)
    assert house.platform.intake._lane.size_of(item) > 5000  # noqa: SLF001
