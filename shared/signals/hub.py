"""Signals as a process gives and hears them; everything here belongs to the loop's thread."""

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager

import structlog

from shared.ids import RunId, SessionId
from shared.signals.hints import Hint, Kind
from shared.signals.subscription import Group, Position, Subscription
from shared.signals.wire import Alone, Wire

log = structlog.get_logger(__name__)

CancelListener = Callable[[RunId], None]


class Signals:
    """Who waits for which session, and who wants to hear of cancels.

    Everybody here is told at once, everybody else over the wire.
    """

    def __init__(self, wire: Wire | None = None) -> None:
        self._wire = wire or Alone()
        self._subscriptions: dict[SessionId, set[Subscription]] = {}
        self._listeners: list[CancelListener] = []
        self._leaving = asyncio.Event()

    async def start(self) -> None:
        """Begin to reach other processes; returns at once."""
        await self._wire.start(self._hear)

    async def close(self) -> None:
        """Reach nobody else any more."""
        await self._wire.close()

    @property
    def up(self) -> bool:
        """Whether hints of other processes should be arriving."""
        return self._wire.up

    @property
    def released(self) -> bool:
        """This process is leaving: whoever waits is to answer with what is."""
        return self._leaving.is_set()

    async def until_released(self) -> None:
        """Wait for that."""
        await self._leaving.wait()

    @property
    def watched(self) -> set[SessionId]:
        """The sessions somebody here waits for."""
        return set(self._subscriptions)

    def moved(self, session_id: SessionId) -> None:
        """Wake whoever waits for this session."""
        self._wake(session_id)
        self._wire.send(Hint(Kind.MOVED, session_id))

    def spoke(self, session_id: SessionId) -> None:
        """Wake whoever reads this session's events: there are more, and nothing else moved."""
        self._wake(session_id, events_only=True)
        self._wire.send(Hint(Kind.SPOKE, session_id))

    @contextmanager
    def subscribe(self, session_id: SessionId, *, events: bool = False) -> Iterator[Subscription]:
        """Listen for a session while the block lasts; with `events`, for what its runs say too."""
        subscription = Subscription(events=events)
        self._add(session_id, subscription)
        try:
            yield subscription
        finally:
            self._remove(session_id, subscription)

    @contextmanager
    def subscribe_all(self, session_ids: Collection[SessionId]) -> Iterator[Group]:
        """Listen for sessions, each named once, while the block lasts."""
        group = Group(session_ids)
        for session_id, subscription in group.each.items():
            self._add(session_id, subscription)
        try:
            yield group
        finally:
            for session_id, subscription in group.each.items():
                self._remove(session_id, subscription)

    def compare(self, asked: Collection[SessionId], positions: Mapping[SessionId, Position]) -> int:
        """Wake the waiters of what they have not seen; count those whom no signal had woken."""
        return sum(
            subscription.compare(positions.get(session_id))
            for session_id in asked
            for subscription in self._subscriptions.get(session_id, ())
        )

    def release(self) -> None:
        """Wake every waiter for good: this process is leaving, and they answer with what is."""
        self._leaving.set()
        for session_id in self._subscriptions:
            self._wake(session_id)

    def cancel_requested(self, run_id: RunId) -> None:
        """Tell every listener, in whichever process."""
        self._tell(run_id)
        self._wire.send(Hint(Kind.CANCEL, run_id))

    def on_cancel(self, listener: CancelListener) -> Callable[[], None]:
        """Hear of every cancel; call what is returned to stop listening."""
        self._listeners.append(listener)
        self._wire.follow(None)

        def forget() -> None:
            self._listeners.remove(listener)
            if not self._listeners:
                self._wire.leave(None)

        return forget

    def _add(self, session_id: SessionId, subscription: Subscription) -> None:
        if session_id not in self._subscriptions:
            self._subscriptions[session_id] = set()
            self._wire.follow(session_id)
        self._subscriptions[session_id].add(subscription)

    def _remove(self, session_id: SessionId, subscription: Subscription) -> None:
        waiters = self._subscriptions[session_id]
        waiters.discard(subscription)
        if not waiters:
            del self._subscriptions[session_id]
            self._wire.leave(session_id)

    def _hear(self, hint: Hint) -> None:
        match hint.kind:
            case Kind.MOVED:
                self._wake(SessionId(hint.id))
            case Kind.SPOKE:
                self._wake(SessionId(hint.id), events_only=True)
            case Kind.CANCEL:
                self._tell(RunId(hint.id))

    def _wake(self, session_id: SessionId, *, events_only: bool = False) -> None:
        for subscription in self._subscriptions.get(session_id, ()):
            if subscription.events or not events_only:
                subscription.wake()

    def _tell(self, run_id: RunId) -> None:
        """Tell every listener here; one that fails does not keep it from the others."""
        for listener in tuple(self._listeners):
            try:
                listener(run_id)
            except Exception:
                log.exception("cancel_listener_failed", run_id=str(run_id))
