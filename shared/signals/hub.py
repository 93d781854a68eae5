"""Signals inside one process; everything here belongs to the loop's thread."""

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager

import structlog

from shared.ids import RunId, SessionId

log = structlog.get_logger(__name__)

CancelListener = Callable[[RunId], None]

# A session's version, and how many events its live run has: who reads no events ignores these.
Position = tuple[int, int]


class Subscription:
    """One waiter's interest in one session: subscribe, then read, then wait."""

    def __init__(self, *, events: bool = False) -> None:
        self.events = events
        self._moved = asyncio.Event()
        self._seen: Position | None = None

    async def wait(self, seconds: float) -> bool:
        """Tell whether the session moved since the subscription, or since the last true answer."""
        try:
            async with asyncio.timeout(seconds):
                await self._moved.wait()
        except TimeoutError:
            return False
        self._moved.clear()
        return True

    def saw(self, version: int) -> None:
        """Remember the version the waiter has read: only a newer one wakes it through polling."""
        self._seen = (version, 0)

    def wake(self) -> None:
        """Let the waiter read again."""
        self._moved.set()

    def compare(self, position: Position | None) -> None:
        """Wake the waiter for a position it has not seen; null means that the session is gone."""
        if position is not None and not self.events:
            position = (position[0], 0)
        if position is None or self._seen is None or position > self._seen:
            self._seen = position
            self.wake()


class Signals:
    """Who waits for which session, and who wants to hear of cancels."""

    def __init__(self) -> None:
        self._subscriptions: dict[SessionId, set[Subscription]] = {}
        self._listeners: list[CancelListener] = []
        self.released = False

    @property
    def watched(self) -> set[SessionId]:
        """The sessions somebody waits for."""
        return set(self._subscriptions)

    def moved(self, session_id: SessionId) -> None:
        """Wake whoever waits for this session."""
        for subscription in self._subscriptions.get(session_id, ()):
            subscription.wake()

    def spoke(self, session_id: SessionId) -> None:
        """Wake whoever reads this session's events: there are more, and nothing else moved."""
        for subscription in self._subscriptions.get(session_id, ()):
            if subscription.events:
                subscription.wake()

    @contextmanager
    def subscribe(self, session_id: SessionId, *, events: bool = False) -> Iterator[Subscription]:
        """Listen for a session while the block lasts; with `events`, for what its runs say too."""
        subscription = Subscription(events=events)
        waiters = self._subscriptions.setdefault(session_id, set())
        waiters.add(subscription)
        try:
            yield subscription
        finally:
            waiters.discard(subscription)
            if not waiters:
                self._subscriptions.pop(session_id, None)

    def compare(
        self, asked: Collection[SessionId], positions: Mapping[SessionId, Position]
    ) -> None:
        """Wake the waiters of those sessions whose position they have not seen."""
        for session_id in asked:
            for subscription in self._subscriptions.get(session_id, ()):
                subscription.compare(positions.get(session_id))

    def release(self) -> None:
        """Wake every waiter for good: this process is leaving, and they answer with what is."""
        self.released = True
        for subscriptions in self._subscriptions.values():
            for subscription in subscriptions:
                subscription.wake()

    def cancel_requested(self, run_id: RunId) -> None:
        """Tell every listener; one that fails does not keep it from the others."""
        for listener in tuple(self._listeners):
            try:
                listener(run_id)
            except Exception:
                log.exception("cancel_listener_failed", run_id=str(run_id))

    def on_cancel(self, listener: CancelListener) -> Callable[[], None]:
        """Hear of every cancel; call what is returned to stop listening."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)
