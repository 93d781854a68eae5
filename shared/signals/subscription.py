"""Those who wait."""

import asyncio
from collections.abc import Collection, Mapping

from shared.ids import SessionId

# A session's version, and how many events its live run has: who reads no events ignores these.
Position = tuple[int, int]
_GONE = (1 << 62, 0)


class Subscription:
    """One waiter's interest in one session: subscribe, then read, then wait."""

    def __init__(self, *, events: bool = False, moved: asyncio.Event | None = None) -> None:
        self.events = events
        self._moved = moved or asyncio.Event()
        self._seen: Position | None = None

    async def wait(self, seconds: float) -> bool:
        """Tell whether the session moved since the subscription, or since the last true answer."""
        return await _wait(self._moved, seconds)

    def saw(self, version: int, events: int = 0) -> None:
        """Remember how far the waiter has read: only what is newer wakes it through polling."""
        self._seen = (version, events)

    def wake(self) -> None:
        """Let the waiter read again."""
        self._moved.set()

    def compare(self, position: Position | None) -> bool:
        """Wake the waiter for a position it has not seen; null means that the session is gone.

        Tell whether a signal should have done so before.
        """
        if position is None:
            position = _GONE
        elif not self.events:
            position = (position[0], 0)
        if self._seen is not None and position <= self._seen:
            return False
        missed = not (self._seen is None or self._moved.is_set())
        self._seen = position
        self.wake()
        return missed


class Group:
    """One waiter's interest in many sessions."""

    def __init__(self, session_ids: Collection[SessionId]) -> None:
        self._moved = asyncio.Event()
        self.each = {each: Subscription(moved=self._moved) for each in session_ids}

    async def wait(self, seconds: float) -> bool:
        """Tell whether any of them moved, like `Subscription.wait`."""
        return await _wait(self._moved, seconds)

    def saw(self, versions: Mapping[SessionId, int]) -> None:
        """Remember the versions the waiter has read."""
        for session_id, version in versions.items():
            self.each[session_id].saw(version)


async def _wait(moved: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await moved.wait()
    except TimeoutError:
        return False
    moved.clear()
    return True
