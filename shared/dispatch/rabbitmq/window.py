"""What one confirm channel has published and the broker has not yet answered for."""

import asyncio
from enum import StrEnum
from itertools import takewhile


class Fate(StrEnum):
    """What became of a published announcement."""

    CONFIRMED = "confirmed"
    RETURNED = "returned"  # its queue is gone
    LOST = "lost"  # refused, or nobody knows


class Window:
    """Outstanding deliveries in order of their tags, which RabbitMQ counts from 1."""

    def __init__(self, *, items: int = 1_000, octets: int = 8 << 20) -> None:
        self._max_items = items
        self._max_octets = octets
        self._octets = 0
        self._last_tag = 0
        self._outstanding: dict[int, tuple[asyncio.Future[Fate], int]] = {}
        self._returned: set[int] = set()
        self._room = asyncio.Event()
        self._room.set()

    async def room(self) -> None:
        """Return when one more delivery may be added."""
        await self._room.wait()

    def add(self, octets: int) -> tuple[int, asyncio.Future[Fate]]:
        """Reserve the tag of the delivery that is published next, and the promise of its fate."""
        self._last_tag += 1
        fate: asyncio.Future[Fate] = asyncio.get_running_loop().create_future()
        self._outstanding[self._last_tag] = (fate, octets)
        self._octets += octets
        self._measure()
        return self._last_tag, fate

    def answer(self, tag: int, *, multiple: bool, fate: Fate) -> None:
        """Take the broker's word on one delivery, or on all up to it."""
        tags = [tag]
        if multiple:
            tags = list(takewhile(lambda each: each <= tag, self._outstanding))
        for each in tags:
            self._settle(each, fate)
        self._measure()

    def returned(self, tag: int) -> None:
        """Remember a delivery that no queue took: its confirm follows and means nothing."""
        self._returned.add(tag)

    def forget(self) -> None:
        """Give up on everything outstanding; later answers find nothing."""
        for tag in tuple(self._outstanding):
            self._settle(tag, Fate.LOST)
        self._measure()

    def _settle(self, tag: int, fate: Fate) -> None:
        promise, octets = self._outstanding.pop(tag, (None, 0))
        self._octets -= octets
        if tag in self._returned:
            self._returned.discard(tag)
            fate = Fate.RETURNED
        if promise is not None and not promise.done():
            promise.set_result(fate)

    def _measure(self) -> None:
        if len(self._outstanding) < self._max_items and self._octets < self._max_octets:
            self._room.set()
        else:
            self._room.clear()
