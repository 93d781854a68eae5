"""Group commit: who asks together shares a transaction, and nobody pays for another."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from shared.domain.errors import InturnError, NotFound, Overloaded, Unavailable
from shared.ids import new_id
from shared.storage.group_commit import Capacity, Lane
from shared.storage.schema import pools, principals
from shared.storage.store import Store, Transaction
from shared.storage.visits import Work

T = TypeVar("T")
POISON, MISSING = 13, 7
KIB = 1024
TWICE = new_id()


class Writing:
    """A verb that writes a row per number, chokes on one number and refuses another."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.begun = self.cancelled_in = 0
        self.entered = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()
        self.stuck_in = 0  # the batch with this number never ends
        self.stuck = asyncio.Event()

    async def enter(self) -> None:
        """Stand between the cutting of a batch and its transaction."""
        self.begun += 1
        if self.begun == self.cancelled_in:
            raise asyncio.CancelledError
        if self.begun == self.stuck_in:
            self.gate.clear()
            self.stuck.set()
        self.entered.set()
        await self.gate.wait()

    async def verb(self, transaction: Transaction, items: Sequence[int]) -> list[int | InturnError]:
        self.batches.append(list(items))
        for item in items:
            if item == POISON:
                row = {"name": "default"}
                await transaction.execute(pools.insert(), [row, row])
            if item != MISSING:
                row_ = {"id": new_id(), "max_running": item}
                await transaction.execute(principals.insert(), row_)
        return [NotFound("number") if item == MISSING else item * 10 for item in items]


@asynccontextmanager
async def opened(
    database: str, *, most: int = 200, capacity: Capacity | None = None
) -> AsyncIterator[tuple[Store, Lane[int, int], Writing]]:
    store, writing = Store(database, batch_max=most), Writing()
    lane = store.lane("numbers", writing.verb, capacity=capacity, size_of=lambda n: n * KIB)
    perform = store._write  # noqa: SLF001  (the only place between batch and transaction)

    async def gated(work: Work[T]) -> T:
        await writing.enter()
        return await perform(work)

    store._write = gated  # type: ignore[method-assign]  # noqa: SLF001
    store.start()
    try:
        yield store, lane, writing
    finally:
        await store.close()


async def together(lane: Lane[int, int], *numbers: int) -> list[int | BaseException]:
    return await asyncio.gather(*map(lane, numbers), return_exceptions=True)


async def stored(store: Store) -> list[int]:
    async with store.reading() as reading:
        query = sa.select(principals.c.max_running).order_by(principals.c.id)
        return [row.max_running for row in await reading.execute(query)]


async def test_who_asks_together_is_written_together_in_order(database: str) -> None:
    async with opened(database) as (store, lane, writing):
        assert await together(lane, 5, 3, 4) == [50, 30, 40]
        assert writing.batches == [[5, 3, 4]]
        assert await stored(store) == [5, 3, 4]


async def test_one_alone_is_a_batch_of_one(database: str) -> None:
    async with opened(database) as (_, lane, writing):
        assert [await lane(1), await lane(2)] == [10, 20]
        assert writing.batches == [[1], [2]]


async def test_what_comes_meanwhile_is_the_next_batch(database: str) -> None:
    async with opened(database) as (_, lane, writing):
        writing.gate.clear()
        first = asyncio.create_task(lane(1))
        await writing.entered.wait()
        rest = asyncio.create_task(together(lane, 2, 3))
        await asyncio.sleep(0)
        writing.gate.set()
        assert (await first, await rest) == (10, [20, 30])
        assert writing.batches == [[1], [2, 3]]


async def test_batches_are_cut_by_number_and_by_size(database: str) -> None:
    async with opened(database, most=2) as (_, lane, writing):
        await together(lane, 1, 2, 3, 4, 5)
        assert writing.batches == [[1, 2], [3, 4], [5]]
    async with opened(database) as (_, lane, writing):
        await together(lane, 3000, 2000, 1000, 1000, 5000)  # KiB, of 4 MiB
        assert writing.batches == [[3000], [2000, 1000, 1000], [5000]]


async def test_the_culprit_stands_alone_and_the_others_are_written(database: str) -> None:
    async with opened(database) as (store, lane, writing):
        results = await together(lane, 1, 2, POISON, 4, 5)
        assert isinstance(results.pop(2), IntegrityError)
        assert results == [10, 20, 40, 50]
        assert await stored(store) == [1, 2, 4, 5]
        assert writing.batches[-1] != [POISON]
        assert await lane(6) == 60


async def test_a_refusal_goes_to_its_caller_and_costs_no_second_try(database: str) -> None:
    async with opened(database) as (store, lane, writing):
        first, refused, last = await together(lane, 1, MISSING, 3)
        assert isinstance(refused, NotFound)
        assert (first, last) == (10, 30)
        assert writing.batches == [[1, MISSING, 3]]
        assert await stored(store) == [1, 3]


@pytest.mark.parametrize(
    "capacity", [Capacity(items=2, size=1 << 20), Capacity(items=99, size=5 * KIB)]
)
async def test_a_full_lane_refuses_at_once(database: str, capacity: Capacity) -> None:
    async with opened(database, capacity=capacity) as (store, lane, writing):
        writing.gate.clear()
        first = asyncio.create_task(lane(1))
        await writing.entered.wait()
        waiting = [asyncio.create_task(lane(n)) for n in (2, 3)]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded) as error:
            await lane(4)
        assert error.value.retry_after
        writing.gate.set()
        assert [await first, *[await each for each in waiting]] == [10, 20, 30]
        assert await lane(5) == 50
        assert await stored(store) == [1, 2, 3, 5]


async def test_many_are_written_in_order_each_with_its_own_end(database: str) -> None:
    async with opened(database, most=3) as (store, lane, writing):
        results = await lane.many([5, MISSING, 3, 4, POISON, 2])
        assert [type(each) for each in results] == [int, NotFound, int, int, IntegrityError, int]
        assert await stored(store) == [5, 3, 4, 2]
        assert writing.batches[:2] == [[5, MISSING, 3], [4, POISON, 2]]
        assert await lane.many([]) == []


async def test_of_many_all_have_room_or_none(database: str) -> None:
    async with opened(database, capacity=Capacity(items=3, size=10 * KIB)) as (store, lane, _):
        for too_many in ([1, 2, 3, 4], [8, 3]):
            with pytest.raises(Overloaded):
                await lane.many(too_many)
        assert await lane.many([5, 3, 2]) == [50, 30, 20]
        assert await lane.many([10]) == [100]
        assert await stored(store) == [5, 3, 2, 10]


async def test_a_caller_that_leaves_breaks_nothing(database: str) -> None:
    async with opened(database) as (_, lane, writing):
        writing.gate.clear()
        tasks = [asyncio.create_task(lane(n)) for n in (1, 2, 3)]
        await writing.entered.wait()
        tasks[1].cancel()
        await asyncio.gather(tasks[1], return_exceptions=True)
        writing.gate.set()
        assert [await tasks[0], await tasks[2]] == [10, 30]
        assert tasks[1].cancelled()
        assert await lane(4) == 40


async def test_closing_finishes_the_batch_at_hand_and_refuses_the_rest(database: str) -> None:
    async with opened(database) as (store, lane, writing):
        writing.gate.clear()
        first = asyncio.create_task(lane(1))
        await writing.entered.wait()
        second = asyncio.create_task(lane(2))
        closing = asyncio.create_task(store.close())
        await asyncio.sleep(0)
        writing.gate.set()
        assert await first == 10
        with pytest.raises(Unavailable):
            await second
        await closing
    async with opened(database) as (store, _, _):
        assert await stored(store) == [1]


async def test_nobody_waits_for_ever_when_a_halved_batch_is_cut_short(database: str) -> None:
    async with opened(database) as (store, lane, writing):
        writing.stuck_in = 2
        asking = asyncio.create_task(together(lane, POISON, 2, 3, 4))
        await writing.stuck.wait()
        for task in store._tasks:  # noqa: SLF001  (as `close` does when it has lost patience)
            task.cancel()
        assert all(isinstance(each, Unavailable) for each in await asking)


async def test_a_driver_that_cancels_itself_does_not_end_the_writer(database: str) -> None:
    async with opened(database) as (store, lane, writing):
        writing.cancelled_in = 1
        with pytest.raises(Unavailable):
            await lane(1)
        assert store.writing
        assert await lane(2) == 20
