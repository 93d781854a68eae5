"""The relay: ready rows -> broker, confirm, mark announced.

It may lose, repeat or delay an announcement, and that costs latency only: the row stays
`ready` until the mark, and a claim checks everything again.
"""

import asyncio
import random
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from typing import Protocol

import structlog

from shared.domain.errors import Unavailable
from shared.domain.execution import Announcement
from shared.domain.retry import RetryPolicy, backoff

log = structlog.get_logger(__name__)

_PATIENCE = RetryPolicy(base_seconds=0.1, max_seconds=5.0)

# A pool whose windows are full is poked all the time: pokes of so many seconds are one.
_LONGEST_LULL = 0.02
_SHORTEST_LULL = 0.0025


class PoolBusy(Exception):
    """Another relay takes from this pool at this moment; what it leaves is there right after."""


class BrokerState(StrEnum):
    """Whether the broker takes announcements now."""

    UP = "up"
    DOWN = "down"
    BLOCKED = "blocked"  # connected, but out of memory or disk


class Source(Protocol):
    """The store's side: rows on hold while they travel."""

    async def take(self, pool: str, limit: int) -> list[Announcement]:
        """Put up to `limit` ready rows of the pool on hold and return them, committed.

        Fewer means that there are no more. Raises PoolBusy.
        """

    async def mark(self, announced: Sequence[Announcement]) -> None:
        """Mark rows announced by compare-and-set: one that moved on meanwhile stays as it is."""

    async def release(self, untaken: Sequence[Announcement]) -> None:
        """Lift the hold of rows that the broker did not confirm."""


class Publisher(Protocol):
    """The broker's side."""

    @property
    def state(self) -> BrokerState:
        """Whether it is worth taking rows now."""

    async def start(self) -> None:
        """Begin to connect; returns at once."""

    async def close(self) -> None:
        """Disconnect for good."""

    async def ready(self) -> None:
        """Return as soon as the state is `up`."""

    async def publish(self, batch: Sequence[Announcement]) -> Sequence[Announcement]:
        """Return the confirmed ones, in bounded time and never by an exception."""


class Relay:
    """Serves poked pools in turn, a batch each, until nothing is left to take."""

    def __init__(
        self,
        source: Source,
        publisher: Publisher,
        *,
        batch_size: int = 200,
        patience: RetryPolicy = _PATIENCE,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._source = source
        self._publisher = publisher
        self._batch_size = batch_size
        self._patience = patience
        self._uniform = uniform
        self._known: set[str] = set()
        self._poked: dict[str, None] = {}  # in order of arrival
        self._resting: dict[str, asyncio.TimerHandle] = {}
        self._poked_at_rest: set[str] = set()
        self._in_vain: dict[str, int] = {}  # empty takes in a row
        self._setbacks: dict[str, int] = {}
        self._awake = asyncio.Event()

    def poke(self, pools: Iterable[str]) -> None:
        """Say that pools have ready rows. Free, and only for the loop's thread.

        A pool that rests is served when its rest is over.
        """
        for pool in pools:
            self._known.add(pool)
            if pool in self._resting:
                self._poked_at_rest.add(pool)
            else:
                self._poked[pool] = None
                self._awake.set()

    async def run(self) -> None:
        """Relay until cancelled."""
        while True:
            await self._awake.wait()
            await self._broker_up()
            await self._serve(self._next())

    async def _broker_up(self) -> None:
        if self._publisher.state is not BrokerState.UP:
            await self._publisher.ready()
            for pool in tuple(self._resting):
                self._resting.pop(pool).cancel()
            self.poke(self._known)

    def _next(self) -> str:
        pool = next(iter(self._poked))
        del self._poked[pool]
        if not self._poked:
            self._awake.clear()
        return pool

    async def _serve(self, pool: str) -> None:
        try:
            await self._announce(pool)
        except PoolBusy:
            self._rest(pool, _SHORTEST_LULL, again=True)
        except Unavailable as error:
            log.warning("relay_setback", pool=pool, reason=error.detail)
            self._recover(pool)
        except Exception:
            log.exception("relay_setback", pool=pool)
            self._recover(pool)

    async def _announce(self, pool: str) -> None:
        taken = await self._source.take(pool, self._batch_size)
        if not taken:
            self._setbacks.pop(pool, None)
            self._lull(pool)
            return
        self._in_vain.pop(pool, None)
        confirmed = await self._publisher.publish(taken)
        if len(confirmed) < len(taken):
            await self._release(taken, confirmed)
        if confirmed:
            await self._source.mark(confirmed)
            self._setbacks.pop(pool, None)
            if len(taken) == self._batch_size or len(confirmed) < len(taken):
                self.poke([pool])
        else:
            self._recover(pool)

    async def _release(
        self, taken: Sequence[Announcement], confirmed: Sequence[Announcement]
    ) -> None:
        done = {each.run_id for each in confirmed}
        try:
            await self._source.release([each for each in taken if each.run_id not in done])
        except Exception as error:  # noqa: BLE001 - the hold of these rows ends by itself
            log.warning("relay_release_failed", reason=repr(error))

    def _lull(self, pool: str) -> None:
        """Rest after a second take in vain, and longer after each: a lone poke never waits."""
        in_vain = self._in_vain[pool] = self._in_vain.get(pool, 0) + 1
        if in_vain > 1:
            seconds = _SHORTEST_LULL * 2.0 ** min(in_vain - 2, 10)
            self._rest(pool, min(_LONGEST_LULL, seconds), again=False)

    def _recover(self, pool: str) -> None:
        setbacks = self._setbacks[pool] = self._setbacks.get(pool, 0) + 1
        self._rest(pool, backoff(self._patience, setbacks, self._uniform), again=True)

    def _rest(self, pool: str, seconds: float, *, again: bool) -> None:
        if again or pool in self._poked:
            self._poked_at_rest.add(pool)
        self._poked.pop(pool, None)
        if not self._poked:
            self._awake.clear()
        self._resting[pool] = asyncio.get_running_loop().call_later(seconds, self._resume, pool)

    def _resume(self, pool: str) -> None:
        self._resting.pop(pool, None)
        if pool in self._poked_at_rest:
            self._poked_at_rest.discard(pool)
            self.poke([pool])
