"""Group commit: callers that ask at the same moment share one transaction.

No artificial delay: a batch is whatever came while the last one was being committed, and
one caller alone is a batch of one.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from shared import telemetry
from shared.domain.errors import InturnError, Overloaded, Unavailable
from shared.storage.faults import insist

log = structlog.get_logger(__name__)

Item = TypeVar("Item")
Result = TypeVar("Result")
Transaction = AsyncConnection
Perform = Callable[[Callable[[Transaction], Awaitable[Any]]], Awaitable[Any]]

_STOPPING = Unavailable(
    "The server is shutting down; a change may have been stored or not.", retry_after=2
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """How much may wait in a lane; what comes beyond it is refused."""

    items: int
    size: int  # bytes, as the lane's `size_of` counts them

    def holds(self, items: int, size: int) -> bool:
        """Tell whether so much has room."""
        return items <= self.items and size <= self.size


@dataclass(slots=True)
class _Waiting(Generic[Item, Result]):
    item: Item
    future: asyncio.Future[Result]
    size: int
    since: float = field(default_factory=time.monotonic)


class Lane(Generic[Item, Result]):
    """One batch-first verb, `(transaction, items) -> results`, and who waits for it.

    A result that is an InturnError is raised to its caller.
    A failed batch is halved until the culprit stands alone, so `verb` must be replayable.
    `head_start` are seconds of age that this verb is worth when lanes share a writer.
    """

    def __init__(
        self,
        name: str,
        verb: Callable[[Transaction, Sequence[Item]], Awaitable[Sequence[Result | InturnError]]],
        *,
        head_start: float = 0.0,
        capacity: Capacity | None = None,
        size_of: Callable[[Item], int] = lambda _item: 0,
    ) -> None:
        self.name = name
        self.verb = verb
        self.head_start = head_start
        self.capacity = capacity
        self.size_of = size_of
        self.waiting: deque[_Waiting[Item, Result]] = deque()
        self.woken = asyncio.Event()
        self._bytes = 0

    async def __call__(self, item: Item) -> Result:
        """Wait for the batch that carries `item`; raises what the verb raised for it.

        Raises Overloaded where the lane is bounded and full.
        """
        [entry] = self._enter([item])
        return await entry.future

    async def many(self, items: Sequence[Item]) -> list[Result | BaseException]:
        """Wait for all, which stay in order and may share batches; per item what `__call__` does.

        Raises Overloaded where the lane has no room for all of them; then none is taken.
        """
        entries = self._enter(items)
        return await asyncio.gather(*(entry.future for entry in entries), return_exceptions=True)

    def _enter(self, items: Sequence[Item]) -> list[_Waiting[Item, Result]]:
        loop = asyncio.get_running_loop()
        entries = [
            _Waiting[Item, Result](item, loop.create_future(), self.size_of(item)) for item in items
        ]
        size = sum(entry.size for entry in entries)
        if self.capacity and not self.capacity.holds(
            len(self.waiting) + len(entries), self._bytes + size
        ):
            detail = "This server is taking in more than it can write; try again shortly."
            raise Overloaded(detail, retry_after=1)
        self.waiting.extend(entries)
        self._bytes += size
        self.woken.set()
        return entries

    def urgency(self, now: float) -> float:
        """Return how long the oldest waits, head start included."""
        return now - self.waiting[0].since + self.head_start

    def cut(self, most: int, most_bytes: int) -> list[_Waiting[Item, Result]]:
        """Take the next batch: at most `most` items and, beyond the first, `most_bytes`."""
        batch = [self.waiting.popleft()]
        size = batch[0].size
        while self.waiting and len(batch) < most and size + self.waiting[0].size <= most_bytes:
            batch.append(self.waiting.popleft())
            size += batch[-1].size
        self._bytes -= size
        return batch


class Writer:
    """One task that commits the batches of its lanes, the most urgent lane first."""

    MOST_BYTES = 4 * 1024 * 1024

    def __init__(self, lanes: Sequence[Lane[Any, Any]], perform: Perform, *, most: int) -> None:
        self._lanes = lanes
        self._perform = perform
        self._most = most
        self._woken = asyncio.Event()
        self._stopping = False
        for lane in lanes:
            lane.woken = self._woken

    async def run(self) -> None:
        """Serve until stopped; an exception goes to the batch's callers, never here."""
        while not self._stopping:
            await self._woken.wait()
            self._woken.clear()
            while lane := self._next():
                await self._commit(lane, lane.cut(self._most, self.MOST_BYTES))

    def stop(self) -> None:
        """Let `run` return once the batch at hand is written."""
        self._stopping = True
        self._woken.set()

    def abandon(self) -> None:
        """Tell everybody still waiting that nothing will be written any more."""
        for lane in self._lanes:
            while lane.waiting:
                entry = lane.waiting.popleft()
                _refuse([entry], _STOPPING)

    def _next(self) -> Lane[Any, Any] | None:
        now = time.monotonic()
        ready = [lane for lane in self._lanes if lane.waiting and not self._stopping]
        return max(ready, key=lambda lane: lane.urgency(now), default=None)

    async def _commit(self, lane: Lane[Any, Any], batch: list[_Waiting[Any, Any]]) -> None:
        started = time.monotonic()
        try:
            results = await insist(lambda: self._write(lane, batch))
            for entry, result in zip(batch, results, strict=True):
                _answer(entry, result)
        except asyncio.CancelledError:
            _refuse(batch, _STOPPING)
            # A driver may cancel itself; only who cancels this task ends it.
            if (task := asyncio.current_task()) is None or task.cancelling():
                raise
            return
        except Exception as error:  # noqa: BLE001  (its callers get it; the writer lives on)
            await self._isolate(lane, batch, error)
            return
        telemetry.BATCH_SIZE.labels(lane.name).observe(len(batch))
        telemetry.BATCH_SECONDS.labels(lane.name).observe(time.monotonic() - started)

    async def _isolate(
        self, lane: Lane[Any, Any], batch: list[_Waiting[Any, Any]], error: Exception
    ) -> None:
        if len(batch) == 1 or isinstance(error, Unavailable):
            _refuse(batch, error)
            return
        log.warning("batch_halved", verb=lane.name, items=len(batch), reason=repr(error)[:500])
        middle = len(batch) // 2
        try:
            await self._commit(lane, batch[:middle])
            await self._commit(lane, batch[middle:])
        finally:
            _refuse(batch, _STOPPING)  # reaches nobody unless this was cancelled

    async def _write(self, lane: Lane[Any, Any], batch: list[_Waiting[Any, Any]]) -> Sequence[Any]:
        items = [entry.item for entry in batch]
        written: Sequence[Any] = await self._perform(lambda tx: lane.verb(tx, items))
        return written


def _answer(entry: _Waiting[Any, Any], result: object) -> None:
    if isinstance(result, InturnError):
        _refuse([entry], result)
    elif not entry.future.done():
        entry.future.set_result(result)


def _refuse(batch: list[_Waiting[Any, Any]], error: Exception) -> None:
    for entry in batch:
        if not entry.future.done():
            entry.future.set_exception(error)
