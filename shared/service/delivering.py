"""Delivering: what a deliverer asks of the store."""

import asyncio
from collections.abc import Mapping, Sequence

from shared.domain.errors import InturnError
from shared.domain.webhook import Outgoing, Tried
from shared.storage import delivering, tries
from shared.storage.store import Store, Transaction


class Delivering:
    """The life of a delivery between its notice and its end."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rung = asyncio.Event()
        self._record = store.lane("delivered", self._records)

    def ring(self) -> None:
        """Say that there may be something to deliver."""
        self._rung.set()

    async def wait(self, seconds: float) -> None:
        """Wait until somebody rings, or until the time is up."""
        try:
            async with asyncio.timeout(seconds):
                await self._rung.wait()
        except TimeoutError:
            return
        self._rung.clear()

    async def take(
        self,
        *,
        room: int,
        share: int,
        rooms: Mapping[str, int],
        hold_seconds: float,
        likely: bool = False,
    ) -> list[Outgoing]:
        """Hold due deliveries: at most `room`, of one target `share`, or what `rooms` says.

        An attempt whose result is not recorded within the hold is made again. Unless it is
        `likely` that something is due, a reader looks first: it disturbs no writer.
        """
        if not likely:
            async with self._store.reading() as reading:
                if not await delivering.any_due(self._store, reading):
                    return []
        return await self._store.write(
            lambda transaction: delivering.take(
                self._store,
                transaction,
                room=room,
                share=share,
                rooms=rooms,
                hold_seconds=hold_seconds,
            )
        )

    async def record(self, tried: Tried) -> bool:
        """Write what came of an attempt; false if another one decides by now."""
        return await self._record(tried)

    async def _records(
        self, transaction: Transaction, tried: Sequence[Tried]
    ) -> list[bool | InturnError]:
        return await tries.record(self._store, transaction, tried)
