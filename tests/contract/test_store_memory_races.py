"""Two connections with the same idempotency key: the second waits for the end of the first.

SQLite has one writer and cannot show any of this.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import pytest

from shared.domain.idempotency import Answer, Idempotency
from shared.domain.requests import Accepted, NewSession, Replayed
from shared.domain.session import Session
from shared.ids import MessageId, RunId, new_id
from shared.service.once import once
from shared.storage import intake
from shared.storage.intake import Taken
from shared.storage.memory import Memory
from shared.storage.schema import idempotency_keys, runs, sessions
from shared.storage.store import Transaction
from tests.platforms import House, a_message


@pytest.fixture
def kind() -> str:
    return "postgres"


class GivenUp(Exception):
    """The first connection rolls back."""


def end(*, gives_up: bool) -> None:
    if gives_up:
        raise GivenUp


def printed(accepted: Accepted) -> Answer:
    return Answer(status=202, body=f"{accepted.run.id}", run_id=accepted.run.id)


def items(house: House, session: Session, *names: str) -> list[intake.Intake]:
    return [
        intake.Intake(
            principal=house.me,
            new=a_message(session.id),
            message_id=MessageId(new_id()),
            run_id=RunId(new_id()),
            max_queued=9,
            idempotency=Idempotency(key=name, body_hash=b"", render=printed),
        )
        for name in names
    ]


async def both(
    house: House,
    first: Callable[[Transaction], Awaitable[object]],
    second: Callable[[Transaction], Awaitable[list[Taken]]],
    *,
    gives_up: bool,
) -> list[Taken]:
    """Perform the first but for its commit, see the second wait, then end the first."""

    async def follow() -> list[Taken]:
        async with house.store.transaction() as transaction:
            return await second(transaction)

    waiting: asyncio.Task[list[Taken]] | None = None
    with contextlib.suppress(GivenUp):
        async with house.store.transaction() as transaction:
            await first(transaction)
            waiting = asyncio.create_task(follow())
            await house.until_somebody_waits_for_a_lock()
            end(gives_up=gives_up)
    assert waiting is not None
    return await waiting


def accepting(
    house: House, session: Session, *names: str
) -> Callable[[Transaction], Awaitable[list[Taken]]]:
    async def accept(transaction: Transaction) -> list[Taken]:
        at_the_door = items(house, session, *names)
        taken = await intake.accept(house.store, transaction, at_the_door)
        assert all(isinstance(each, Accepted | Replayed) for each in taken)
        return [each for each in taken if isinstance(each, Accepted | Replayed)]

    return accept


async def test_the_second_gets_the_answer_of_the_first(house: House) -> None:
    session = await house.session()
    verb = accepting(house, session, "k")
    [replayed] = await both(house, verb, verb, gives_up=False)
    [run] = await house.rows(runs.select())
    assert isinstance(replayed, Replayed)
    assert replayed.answer.run_id == run.id


async def test_the_second_goes_on_by_itself_if_the_first_gives_up(house: House) -> None:
    session = await house.session()
    verb = accepting(house, session, "k")
    [accepted] = await both(house, verb, verb, gives_up=True)
    assert isinstance(accepted, Accepted)
    assert await house.count(runs) == await house.count(idempotency_keys) == 1


async def test_keys_are_locked_in_one_order_whatever_the_batch_has(house: House) -> None:
    session, other = await house.session(), await house.session()
    first = accepting(house, session, "a", "b", "c")
    second = accepting(house, other, "d", "c", "b", "a", "0")
    d, *replayed, new = await both(house, first, second, gives_up=False)
    assert isinstance(d, Accepted)
    assert isinstance(new, Accepted)
    assert all(isinstance(each, Replayed) for each in replayed)
    assert await house.count(idempotency_keys) == 5


async def test_nobody_holds_a_key_while_waiting_for_a_smaller_one(house: House) -> None:
    session = await house.session()

    async def enter_both() -> None:
        async with house.store.transaction() as transaction:
            await Memory.enter(transaction, items(house, session, "z", "m"))
            raise GivenUp

    with contextlib.suppress(GivenUp):
        async with house.store.transaction() as transaction:
            await Memory.enter(transaction, items(house, session, "m"))
            waiting = asyncio.create_task(enter_both())
            await house.until_somebody_waits_for_a_lock()
            await Memory.enter(transaction, items(house, session, "z"))
            end(gives_up=True)
    with pytest.raises(GivenUp):
        await waiting
    assert await house.count(idempotency_keys) == 0


@pytest.mark.parametrize("gives_up", [False, True])
async def test_any_creation_waits_for_the_one_with_its_key(house: House, gives_up: bool) -> None:
    opening: Idempotency[Session] = Idempotency(
        key="k", body_hash=b"", render=lambda made: Answer(status=201, body=f"{made.id}")
    )
    entered, leave = asyncio.Event(), asyncio.Event()

    async def create(_: Transaction) -> Session:
        entered.set()
        await leave.wait()
        end(gives_up=gives_up)
        return one

    one = await house.session()
    creating = once(house.store, house.me, opening, create)
    first = asyncio.create_task(creating)
    await entered.wait()
    create_once = house.platform.sessions.create_once
    second = asyncio.create_task(create_once(house.me, NewSession(agent="echo"), opening))
    await house.until_somebody_waits_for_a_lock()
    leave.set()
    ended, answered = await asyncio.gather(first, second, return_exceptions=True)
    if gives_up:
        assert isinstance(ended, GivenUp)
        assert isinstance(answered, Session)
    else:
        assert answered == Replayed(answer=Answer(status=201, body=f"{one.id}"))
    assert await house.count(sessions) == 1 + gives_up
