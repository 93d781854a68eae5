"""A store and a broker for the relay, which fail on demand."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from shared.dispatch.relay import BrokerState, Relay
from shared.domain.errors import Unavailable
from shared.domain.execution import Announcement
from shared.ids import RunId, new_id

AWAY = Unavailable("the database is away")


def ready_rows(pool: str, count: int) -> list[Announcement]:
    return [
        Announcement(run_id=RunId(new_id()), pool=pool, fence=0, announce_count=0)
        for _ in range(count)
    ]


class Rows:
    """A store: ready rows per pool; each failure is raised by the next call of its verb."""

    def __init__(self) -> None:
        self.ready: dict[str, deque[Announcement]] = {}
        self.taken_from: list[str] = []
        self.marked: list[Announcement] = []
        self.released: list[Announcement] = []
        self.failures: dict[str, list[Exception]] = {"take": [], "mark": [], "release": []}
        self.on_take: Callable[[str], None] = lambda _: None
        self._changed = asyncio.Condition()

    def add(self, pool: str, count: int) -> list[Announcement]:
        rows = ready_rows(pool, count)
        self.ready.setdefault(pool, deque()).extend(rows)
        return rows

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(5), self._changed:
            await self._changed.wait_for(true)

    async def drained(self, *pools: str) -> None:
        await self.until(lambda: set(pools) <= set(self.empty))

    @property
    def empty(self) -> list[str]:
        return [pool for pool in self.taken_from if not self.ready.get(pool)]

    async def take(self, pool: str, limit: int) -> list[Announcement]:
        self.taken_from.append(pool)
        self.on_take(pool)
        await self._step("take")
        ready = self.ready.get(pool, deque())
        return [ready.popleft() for _ in range(min(limit, len(ready)))]

    async def mark(self, announced: Sequence[Announcement]) -> None:
        await self._step("mark")
        self.marked.extend(announced)
        await self._step("")

    async def release(self, untaken: Sequence[Announcement]) -> None:
        await self._step("release")
        self.released.extend(untaken)
        for each in untaken:
            self.ready[each.pool].append(each)
        await self._step("")

    async def _step(self, verb: str) -> None:
        async with self._changed:
            self._changed.notify_all()
        if failures := self.failures.get(verb):
            raise failures.pop(0)


class Bell:
    """A broker: confirms what `confirms` says, all by default."""

    def __init__(self) -> None:
        self.confirms: Callable[[Sequence[Announcement]], Sequence[Announcement]] = list
        self.batches: list[int] = []
        self.state = BrokerState.UP
        self.awaited = asyncio.Event()
        self._up = asyncio.Event()

    def come_up(self) -> None:
        self.state = BrokerState.UP
        self._up.set()

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    async def ready(self) -> None:
        self.awaited.set()
        await self._up.wait()

    async def publish(self, batch: Sequence[Announcement]) -> Sequence[Announcement]:
        self.batches.append(len(batch))
        return self.confirms(batch)


@asynccontextmanager
async def running(relay: Relay) -> AsyncIterator[None]:
    task = asyncio.create_task(relay.run())
    yield
    assert not task.done()
    task.cancel()


def no_wait(_low: float, _high: float) -> float:
    return 0.0


def an_hour(_low: float, _high: float) -> float:
    return 3600.0
