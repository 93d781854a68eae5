"""Events: read them, wait for them, follow them."""

import asyncio
from collections.abc import AsyncGenerator

from shared.clock import monotonic
from shared.domain.errors import FieldError, ValidationFailed
from shared.domain.event import BEGINNING, ENDING, Event, OfRun, Position, Source
from shared.domain.principal import Principal
from shared.signals import Signals
from shared.storage import feeds
from shared.storage.feeds import Part
from shared.storage.store import Store

PAGE = 100
_LOOK_SECONDS = 30.0  # the poller behind the signals looks more often, for everybody at once


class Events:
    """What runs say while they run."""

    def __init__(self, store: Store, signals: Signals) -> None:
        self._store = store
        self._signals = signals

    async def open(self, principal: Principal, source: Source, after: Position | None) -> "Feed":
        """Stand behind an event. Raises NotFound, ValidationFailed."""
        part = await self._locate(principal, source, BEGINNING if after is None else after)
        return Feed(self._store, self._signals, principal, source, part)

    async def latest(
        self, principal: Principal, source: Source, before: Position | None, limit: int
    ) -> tuple[tuple[Event, ...], Position | None]:
        """Read backwards, and where the next page begins. Raises like `open`."""
        if before is not None:
            await self._locate(principal, source, before)
        async with self._store.reading() as reading:
            events, more = await feeds.read_back(
                reading, principal, source, before or ENDING, limit
            )
        return events, events[-1].position if events and more else None

    async def _locate(self, principal: Principal, source: Source, at: Position) -> Part:
        async with self._store.reading() as reading:
            part = await feeds.locate(reading, principal, source, at)
        if part is None:
            whose = "run" if isinstance(source, OfRun) else "session"
            wrong = FieldError(("after",), f"no event of this {whose} has this id")
            raise ValidationFailed((wrong,), f"No event of this {whose} has the id {at}.")
        return part


class Feed:
    """A place in the events of a run or a session, and the way on from there.

    `over` once nothing more can come: the run has settled, and all of it was read.
    """

    def __init__(
        self, store: Store, signals: Signals, principal: Principal, source: Source, part: Part
    ) -> None:
        self.position = part.position
        self.over = part.over
        self._session_id = part.session_id
        self._store = store
        self._signals = signals
        self._principal = principal
        self._source = source

    async def read(self, limit: int = PAGE) -> tuple[Event, ...]:
        """Read what follows, and stand behind it. Raises NotFound once it was deleted."""
        return (await self._read(limit)).events

    async def wait(self, limit: int, *, seconds: float) -> tuple[Event, ...]:
        """Read what follows once there is something, the run is over or the time is up."""
        deadline = monotonic() + seconds
        with self._signals.subscribe(self._session_id, events=True) as subscription:
            while True:
                part = await self._read(limit)
                left = 0.0 if self._signals.released else deadline - monotonic()
                if part.events or self.over or left <= 0:
                    return part.events
                subscription.saw(*part.seen)
                await subscription.wait(left)

    async def follow(self) -> AsyncGenerator[tuple[Event, ...], None]:
        """Go on, page by page, until it is over, deleted, or this process is leaving.

        Nothing is read ahead, and no connection is held while there is nothing to read.
        """
        with self._signals.subscribe(self._session_id, events=True) as subscription:
            while not self.over:
                part = await self._read(PAGE)
                if part.events:
                    yield part.events
                if self._signals.released:
                    return
                if not part.more and not self.over:
                    subscription.saw(*part.seen)
                    await subscription.wait(_LOOK_SECONDS)

    async def _read(self, limit: int) -> Part:
        # A client may leave at any moment: the connection goes back as it is, not broken off.
        part = await asyncio.shield(self._look(limit))
        self.position, self.over = part.position, part.over
        return part

    async def _look(self, limit: int) -> Part:
        async with self._store.reading() as reading:
            return await feeds.read(reading, self._principal, self._source, self.position, limit)
