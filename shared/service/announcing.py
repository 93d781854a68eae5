"""The relay's source: ready rows, held while they travel."""

from collections.abc import Sequence

from shared.dispatch.relay import PoolBusy
from shared.domain.execution import Announcement
from shared.storage import announcing as rows
from shared.storage.store import Store


class Announcing:
    """One transaction each, none open while the broker is spoken to."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def take(self, pool: str, limit: int) -> list[Announcement]:
        """Hold ready runs of a pool, as many as its windows have room for. Raises PoolBusy."""
        taken = await self._store.write(lambda tx: rows.take(self._store, tx, pool, limit))
        if taken is None:
            raise PoolBusy(pool)
        return taken

    async def mark(self, announced: Sequence[Announcement]) -> None:
        """Say that the broker has them."""
        await self._store.write(lambda tx: rows.mark(self._store, tx, announced))

    async def release(self, untaken: Sequence[Announcement]) -> None:
        """Let go of what the broker did not confirm."""
        await self._store.write(lambda tx: rows.release(tx, untaken))
