"""Following a session as it goes on: what is said in it, and how long it lives."""

import asyncio
from collections.abc import AsyncGenerator

import structlog

from shared.domain.errors import NotFound, Unavailable
from shared.domain.sighting import Gone, Look, Place, Sighting, Witness
from shared.ids import SessionId
from shared.signals import Signals
from shared.storage import following
from shared.storage.store import Store

log = structlog.get_logger(__name__)

_LOOK_SECONDS = 30.0  # the poller behind the signals looks more often, for everybody at once
_AWAY_SECONDS = 1.0


class Rooms:
    """Sessions that somebody here has joined; who may is asked before."""

    def __init__(self, store: Store, signals: Signals) -> None:
        self._store = store
        self._signals = signals

    async def open(self, session_id: SessionId) -> "Room":
        """Stand where a session is now. Raises NotFound("session")."""
        async with self._store.reading() as reading:
            first = await following.here(reading, session_id)
        if first is None or first.marks.ended:
            raise NotFound("session")
        return Room(self._store, self._signals, session_id, first)


class Room:
    """A place in a session, and the way on from there."""

    def __init__(self, store: Store, signals: Signals, session_id: SessionId, first: Look) -> None:
        self._store = store
        self._signals = signals
        self._session_id = session_id
        self._place = first.place
        self._witness = Witness(first)

    async def follow(self) -> AsyncGenerator[tuple[Sighting, ...], None]:
        """Tell what is new, each thing once, until it is gone or this process is leaving.

        Nothing is read ahead, and no connection is held while there is nothing to read. A
        database that is away is waited for.
        """
        with self._signals.subscribe(self._session_id, events=True) as subscription:
            while not self._signals.released:
                try:
                    look = await self._look(self._place)
                except Unavailable as error:
                    log.warning("room_not_seen", reason=error.detail)
                    await subscription.wait(_AWAY_SECONDS)
                    continue
                if look is None:
                    yield (Gone(),)
                    return
                self._place = look.place
                if sightings := self._witness.tell(look):
                    yield sightings
                if look.marks.ended:
                    return
                if not look.more:
                    subscription.saw(*look.seen)
                    await subscription.wait(_LOOK_SECONDS)

    async def _look(self, since: Place) -> Look | None:
        # The last client may leave at any moment: the connection goes back as it is.
        return await asyncio.shield(self._read(since))

    async def _read(self, since: Place) -> Look | None:
        return await self._store.read(
            lambda reading: following.look(reading, self._session_id, since)
        )
