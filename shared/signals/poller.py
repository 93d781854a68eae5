"""What wakes a waiter whom no signal reached."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping

import structlog

from shared.domain.errors import Unavailable
from shared.ids import SessionId
from shared.signals.hub import Signals
from shared.signals.subscription import Position

log = structlog.get_logger(__name__)

Positions = Callable[[Collection[SessionId]], Awaitable[Mapping[SessionId, Position]]]

_QUICK_SECONDS = 0.5
_SLOW_SECONDS = 2.0
_WARY_POLLS = 60


class VersionPoller:
    """Asks how far all watched sessions are at once: any number of waiters, one query.

    It is slow where signals arrive. That they should is no proof that they do: one that a poll
    had to make up for makes it quick again for a while.
    """

    def __init__(
        self,
        signals: Signals,
        positions: Positions,
        *,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._signals = signals
        self._positions = positions
        self._pause = pause
        self._wary = 0

    async def run(self) -> None:
        """Poll until cancelled; a query that fails is only a late one."""
        while True:
            await self._pause(self.interval)
            try:
                await self.poll()
            except Unavailable as error:
                log.warning("version_poll_failed", reason=error.detail)
            except Exception:
                log.exception("version_poll_failed")

    @property
    def interval(self) -> float:
        """How long to wait before the next poll."""
        return _SLOW_SECONDS if self._signals.up and not self._wary else _QUICK_SECONDS

    async def poll(self) -> None:
        """Wake the waiters of every session that is further than they have seen."""
        self._wary = max(0, self._wary - 1)
        watched = self._signals.watched
        if watched and self._signals.compare(watched, await self._positions(watched)):
            self._wary = _WARY_POLLS
