"""Idempotency keys: asked twice, created once, answered alike."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from shared.domain.errors import (
    IdempotencyKeyReused,
    InturnError,
    NotFound,
    NotRetryable,
    QueueFull,
)
from shared.domain.idempotency import KEPT, Answer, Idempotency
from shared.domain.principal import Key, Principal, Scope
from shared.domain.requests import Accepted, NewKey, NewSession, Replayed
from shared.domain.run import Run
from shared.domain.session import Session
from shared.ids import MessageId, RunId, SessionId, new_id
from shared.service.intake import Post
from shared.storage import intake
from shared.storage.intake import Taken
from shared.storage.memory import Memory
from shared.storage.schema import idempotency_keys, messages, runs, sessions
from shared.storage.store import Transaction
from tests.contract.conftest import Open
from tests.platforms import House, a_message

DAY = KEPT // 1_000_000


def key(name: str = "k", body: bytes = b"body") -> Idempotency[Accepted]:
    return Idempotency(key=name, body_hash=body, render=printed)


def printed(accepted: Accepted) -> Answer:
    run_id = accepted.run.id
    return Answer(status=202, body=f"{run_id}", location=f"/{run_id}", run_id=run_id)


async def post(
    house: House, session: Session, idempotency: Idempotency[Accepted], content: str = "hi"
) -> Taken:
    new = a_message(session.id, content)
    return await house.platform.intake.accept_once(house.me, new, idempotency)


def at_the_door(
    house: House, session_id: SessionId, idempotency: Idempotency[Accepted] | None
) -> intake.Intake:
    return intake.Intake(
        principal=house.me,
        new=a_message(session_id),
        message_id=MessageId(new_id()),
        run_id=RunId(new_id()),
        max_queued=5,
        idempotency=idempotency,
    )


async def accept(house: House, *items: intake.Intake) -> Sequence[Taken | InturnError]:
    async with house.store.transaction() as transaction:
        return await intake.accept(house.store, transaction, items)


async def test_fifty_who_ask_at_once_get_one_run_and_one_answer(house: House) -> None:
    session = await house.session()
    taken = await asyncio.gather(*(post(house, session, key()) for _ in range(50)))
    [first] = [each for each in taken if isinstance(each, Accepted)]
    replays = [each for each in taken if isinstance(each, Replayed)]
    assert [each.answer for each in replays] == [printed(first)] * 49
    assert await house.count(runs) == await house.count(messages) == 1
    assert (await house.look(session)).queue_depth == 1


async def test_a_key_answers_for_its_own_request_only(house: House) -> None:
    session = await house.session()
    first = await post(house, session, key())
    before = await house.look(session)
    with pytest.raises(IdempotencyKeyReused):
        await post(house, session, key(body=b"another"))
    assert isinstance(first, Accepted)
    assert await post(house, session, key()) == Replayed(answer=printed(first))
    assert await house.look(session) == before
    assert isinstance(await post(house, session, key("another key")), Accepted)


async def test_a_key_belongs_to_its_principal(house: House) -> None:
    session = await house.session()
    await post(house, session, key())
    somebody = Principal(tenant="elsewhere", user_id=None, scope=Scope.ADMIN)
    new = a_message(session.id)
    theirs = await house.platform.intake.accept_once(somebody, new, key())
    assert isinstance(theirs, Accepted)


async def test_what_was_refused_is_not_remembered(house: House) -> None:
    session = await house.session()
    with pytest.raises(NotFound):
        await post(house, replace(session, id=SessionId(new_id())), key())
    assert await house.count(idempotency_keys) == 0
    assert isinstance(await post(house, session, key(body=b"another")), Accepted)


async def test_a_key_is_free_again_after_a_day(house: House) -> None:
    session = await house.session()
    await post(house, session, key())
    house.wait(DAY - 60)
    assert isinstance(await post(house, session, key()), Replayed)
    house.wait(60)
    again = await post(house, session, key(body=b"another"))
    assert isinstance(again, Accepted)
    replayed = await post(house, session, key(body=b"another"))
    assert replayed == Replayed(answer=printed(again))
    assert await house.count(idempotency_keys) == 1


async def test_duplicates_inside_a_batch_share_one_answer(house: House) -> None:
    session = await house.session()
    keys = [key("b"), None, key("a"), key("b"), key("b", b"another"), key("a")]
    items = [at_the_door(house, session.id, each) for each in keys]
    nowhere = at_the_door(house, SessionId(new_id()), key("c"))
    refused, b, plain, a, b_again, b_reused, a_again = await accept(house, nowhere, *items)
    assert isinstance(refused, NotFound)
    assert isinstance(a, Accepted)
    assert isinstance(b, Accepted)
    assert isinstance(plain, Accepted)
    assert b_again == Replayed(answer=printed(b))
    assert isinstance(b_reused, IdempotencyKeyReused)
    assert a_again == Replayed(answer=printed(a))
    assert await house.count(runs) == 3
    rows = await house.rows(idempotency_keys.select().order_by(idempotency_keys.c.key))
    assert [(row.key, row.run_id) for row in rows] == [("a", a.run.id), ("b", b.run.id)]


async def test_of_duplicates_the_first_that_is_not_refused_is_remembered(house: House) -> None:
    session = await house.session()
    nowhere = at_the_door(house, SessionId(new_id()), key())
    good, again = (at_the_door(house, session.id, key(body=b"good")) for _ in range(2))
    refused, taken, replayed = await accept(house, nowhere, good, again)
    assert isinstance(refused, NotFound)
    assert isinstance(taken, Accepted)
    assert replayed == Replayed(answer=printed(taken))


async def test_a_batch_whose_commit_got_no_reply_finds_its_own_keys(house: House) -> None:
    session = await house.session()
    items = [at_the_door(house, session.id, key(str(n))) for n in range(3)]
    first = await accept(house, *items)
    again = await accept(house, *items)
    for n, (before, after) in enumerate(zip(first, again, strict=True)):
        assert isinstance(before, Accepted)
        assert isinstance(after, Accepted)  # nobody was answered yet: it is no replay
        assert after.message == before.message
        assert await post(house, session, key(str(n))) == Replayed(answer=printed(after))
    assert await house.count(runs) == await house.count(idempotency_keys) == 3


async def test_a_first_answer_is_given_though_there_is_no_room(open_it: Open) -> None:
    async with open_it(max_queued_per_principal=1) as house:
        session = await house.session()
        first = await post(house, session, key())
        assert isinstance(first, Accepted)
        assert await post(house, session, key()) == Replayed(answer=printed(first))
        for refused in (key("another"), key(body=b"another")):
            with pytest.raises(QueueFull):
                await post(house, session, refused)
        many = [
            Post(new=a_message(session.id), idempotency=each)
            for each in (key("another"), key(), None)
        ]
        full, replayed, plain = await house.platform.intake.accept_many(house.me, many)
        assert isinstance(full, QueueFull)
        assert isinstance(plain, QueueFull)
        assert replayed == Replayed(answer=printed(first))


class Mute:
    """A transaction that must not be asked anything."""

    async def execute(self, *_: object) -> None:
        raise AssertionError


async def test_without_a_key_nothing_is_asked(house: House) -> None:
    items = [at_the_door(house, SessionId(new_id()), None)]
    mute: Transaction = Mute()  # type: ignore[assignment]
    memory = await Memory.enter(mute, items)
    await memory.write(mute)


def named(session: Session) -> Answer:
    return Answer(status=201, body=f"{session.id}")


OPENING: Idempotency[Session] = Idempotency(key="k", body_hash=b"body", render=named)


async def test_a_session_is_opened_once(house: House) -> None:
    create = house.platform.sessions.create_once
    new = NewSession(agent="echo")
    made = await asyncio.gather(*(create(house.me, new, OPENING) for _ in range(8)))
    [first] = [each for each in made if isinstance(each, Session)]
    assert made.count(Replayed(answer=named(first))) == 7
    assert await house.count(sessions) == 1
    with pytest.raises(IdempotencyKeyReused):
        await post(house, first, key(body=b"another"))


async def test_a_run_is_retried_once_and_a_refusal_not_remembered(house: House) -> None:
    accepted = await house.post(await house.session())
    again: Idempotency[Run] = Idempotency(
        key="k", body_hash=b"", render=lambda run: Answer(status=202, body=f"{run.id}")
    )

    async def retry() -> Run | Replayed:
        retry_once = house.platform.runs.retry_once
        return await retry_once(house.me, accepted.run.id, again, correlation_id="c")

    with pytest.raises(NotRetryable):
        await retry()
    assert await house.count(idempotency_keys) == 0
    await house.platform.runs.cancel(house.me, accepted.run.id, reason=None)
    house.said.clear()
    retried = await retry()
    assert isinstance(retried, Run)
    assert (retried.retry_of, house.said) == (accepted.run.id, ["default"])
    assert await retry() == Replayed(answer=Answer(status=202, body=f"{retried.id}"))
    assert await house.count(runs) == 2


async def test_a_secret_is_not_kept(house: House) -> None:
    new = NewKey(name="n", scope=Scope.SERVICE, tenant="t")
    shown = Answer(status=201, body="all but the secret")
    asked: Idempotency[tuple[Key, str]] = Idempotency(
        key="k", body_hash=b"", render=lambda _: shown
    )
    made = await house.platform.keys.create_once(house.me, new, asked)
    assert not isinstance(made, Replayed)
    assert (await house.platform.keys.authenticate(made[1])).principal.tenant == "t"
    assert await house.platform.keys.create_once(house.me, new, asked) == Replayed(answer=shown)
