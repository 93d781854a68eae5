"""The store: transactions, readings and group-committed verbs over one of the two databases."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.clock import Instant, wall
from shared.domain.errors import InturnError
from shared.storage.engine import BEGIN, Engines, open_engines
from shared.storage.faults import available
from shared.storage.group_commit import Capacity, Lane, Writer
from shared.storage.ownership import owned
from shared.storage.visits import Work, visit

Item = TypeVar("Item")
Result = TypeVar("Result")
T = TypeVar("T")
Transaction = AsyncConnection

_LAST_BATCH_SECONDS = 10.0

_POSTGRES_CLOCK = sa.text("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")


class Store:
    """One concrete class for both databases; what differs between them is below this folder."""

    def __init__(self, url: str, *, batch_max: int = 200) -> None:
        self._engines: Engines = open_engines(url)
        self._batch_max = batch_max
        self._lanes: list[Lane[Any, Any]] = []
        self._reading_lanes: list[Lane[Any, Any]] = []
        self._turn = asyncio.Lock()
        self._open = AsyncExitStack()
        self._writers: list[Writer] = []
        self._tasks: list[asyncio.Task[None]] = []
        self.offset = 0  # µs added to the database's clock; tests move it

    @property
    def sqlite(self) -> bool:
        """This process owns the database alone."""
        return self._engines.sqlite_path is not None

    def lane(
        self,
        name: str,
        verb: Callable[[Transaction, Sequence[Item]], Awaitable[Sequence[Result | InturnError]]],
        *,
        head_start: float = 0.0,
        capacity: Capacity | None = None,
        size_of: Callable[[Item], int] = lambda _item: 0,
        reading: bool = False,
    ) -> Lane[Item, Result]:
        """Make a batch-first verb group-committed, or `reading` together; before `start`."""
        lane = Lane[Item, Result](
            name, verb, head_start=head_start, capacity=capacity, size_of=size_of
        )
        (self._reading_lanes if reading else self._lanes).append(lane)
        return lane

    def own(self) -> None:
        """Take SQLite's lock until `close`; nothing to do on PostgreSQL. Raises AlreadyOwned."""
        if self._engines.sqlite_path:
            self._open.enter_context(owned(self._engines.sqlite_path))

    def start(self) -> None:
        """Start the writers: one for all verbs on SQLite, one a verb on PostgreSQL."""
        groups = [self._lanes] if self.sqlite else [[lane] for lane in self._lanes]
        self._writers = [Writer(lanes, self._write, most=self._batch_max) for lanes in groups]
        self._writers += [
            Writer([lane], self._read, most=self._batch_max) for lane in self._reading_lanes
        ]
        self._tasks = [asyncio.create_task(writer.run()) for writer in self._writers]

    @property
    def writing(self) -> bool:
        """Every writer is at its post."""
        return not any(task.done() for task in self._tasks)

    async def close(self) -> None:
        """Finish what is being written, refuse what waits, close every connection."""
        for writer in self._writers:
            writer.stop()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_LAST_BATCH_SECONDS)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._writers:
            writer.abandon()
        await self._engines.dispose()
        await self._open.aclose()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Open a transaction: committed by leaving the block, rolled back by an exception.

        Raises Unavailable when the database is away.
        """
        async with available(), self._begin() as transaction:
            yield transaction

    async def write(self, work: Work[T]) -> T:
        """Perform `work`, which awaits nothing but its transaction, and commit.

        The quick way for what happens often. Raises Unavailable when the database is away.
        """
        async with available():
            return await self._write(work)

    async def read(self, work: Work[T]) -> T:
        """Perform `work`, which awaits nothing but its reading; statements see each its moment.

        The quick way for what happens often. Raises Unavailable when the database is away.
        """
        async with available():
            return await self._read(work)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """Open a connection for single statements. Raises Unavailable like `transaction`."""
        async with available(), self._engines.reading.connect() as connection:
            yield connection

    async def now(self, transaction: AsyncConnection) -> Instant:
        """Read the database's clock, once a batch and after its locks."""
        if self.sqlite:
            return Instant(wall() + self.offset)
        moment = (await transaction.execute(_POSTGRES_CLOCK)).scalar_one()
        return Instant(moment + self.offset)

    async def _write(self, work: Work[T]) -> T:
        if self.sqlite:
            async with self._turn:
                return await visit(self._engines.writing, work, begin=BEGIN)
        async with self._engines.writing.begin() as transaction:
            return await work(transaction)

    async def _read(self, work: Work[T]) -> T:
        if self.sqlite:
            return await visit(self._engines.reading, work, begin=None)
        async with self._engines.reading.connect() as connection:
            return await work(connection)

    @asynccontextmanager
    async def _begin(self) -> AsyncIterator[Transaction]:
        if not self.sqlite:
            async with self._engines.writing.begin() as transaction:
                yield transaction
            return
        async with self._turn, self._engines.writing.begin() as transaction:
            yield transaction
