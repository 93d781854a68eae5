"""What wakes a waiter when the signal was given in another process."""

import asyncio
from collections.abc import Awaitable, Callable, Collection

import structlog

from shared.domain.errors import Unavailable
from shared.ids import SessionId
from shared.signals.local import Position, Signals

log = structlog.get_logger(__name__)

Versions = Callable[[Collection[SessionId]], Awaitable[dict[SessionId, Position]]]


class VersionPoller:
    """Asks for the versions of all watched sessions at once: any number of waiters, one query."""

    def __init__(
        self,
        signals: Signals,
        versions: Versions,
        interval: float = 0.5,
        *,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._signals = signals
        self._versions = versions
        self._interval = interval
        self._pause = pause

    async def run(self) -> None:
        """Poll until cancelled; a query that fails is only a late one."""
        while True:
            await self._pause(self._interval)
            try:
                await self.poll()
            except Unavailable as error:
                log.warning("version_poll_failed", reason=error.detail)
            except Exception:
                log.exception("version_poll_failed")

    async def poll(self) -> None:
        """Wake the waiters of every session whose version they have not seen."""
        if watched := self._signals.watched:
            self._signals.compare(watched, await self._versions(watched))
