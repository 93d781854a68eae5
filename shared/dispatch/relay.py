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


class BrokerState(StrEnum):
    """Whether the broker takes announcements now."""

    UP = "up"
    DOWN = "down"
    BLOCKED = "blocked"  # connected, but out of memory or disk


class Source(Protocol):
    """The store's side: rows on hold while they travel."""

    async def take(self, pool: str, limit: int) -> list[Announcement]:
        """Put up to `limit` ready rows of the pool on hold and return them, committed."""

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
        self._setbacks: dict[str, int] = {}
        self._awake = asyncio.Event()

    def poke(self, pools: Iterable[str]) -> None:
        """Say that pools have ready rows. Free, and only for the loop's thread.

        A pool that rests after a setback is served when its rest is over.
        """
        pools = tuple(pools)
        self._known.update(pools)
        self._poked.update(dict.fromkeys(pool for pool in pools if pool not in self._resting))
        if self._poked:
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
        except Unavailable as error:
            log.warning("relay_setback", pool=pool, reason=error.detail)
            self._rest(pool)
        except Exception:
            log.exception("relay_setback", pool=pool)
            self._rest(pool)

    async def _announce(self, pool: str) -> None:
        taken = await self._source.take(pool, self._batch_size)
        if not taken:
            self._setbacks.pop(pool, None)
            return
        confirmed = await self._publisher.publish(taken)
        if len(confirmed) < len(taken):
            await self._release(taken, confirmed)
        if confirmed:
            await self._source.mark(confirmed)
            self._setbacks.pop(pool, None)
            self.poke([pool])
        else:
            self._rest(pool)

    async def _release(
        self, taken: Sequence[Announcement], confirmed: Sequence[Announcement]
    ) -> None:
        done = {each.run_id for each in confirmed}
        try:
            await self._source.release([each for each in taken if each.run_id not in done])
        except Exception as error:  # noqa: BLE001 - the hold of these rows ends by itself
            log.warning("relay_release_failed", reason=repr(error))

    def _rest(self, pool: str) -> None:
        setbacks = self._setbacks[pool] = self._setbacks.get(pool, 0) + 1
        self._poked.pop(pool, None)
        if not self._poked:
            self._awake.clear()
        seconds = backoff(self._patience, setbacks, self._uniform)
        self._resting[pool] = asyncio.get_running_loop().call_later(seconds, self._resume, pool)

    def _resume(self, pool: str) -> None:
        self._resting.pop(pool, None)
        self.poke([pool])
