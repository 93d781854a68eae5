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
        async with self._store.transaction() as transaction:
            taken = await rows.take(self._store, transaction, pool, limit)
        if taken is None:
            raise PoolBusy(pool)
        return taken

    async def mark(self, announced: Sequence[Announcement]) -> None:
        """Say that the broker has them."""
        async with self._store.transaction() as transaction:
            await rows.mark(self._store, transaction, announced)

    async def release(self, untaken: Sequence[Announcement]) -> None:
        """Let go of what the broker did not confirm."""
        async with self._store.transaction() as transaction:
            await rows.release(transaction, untaken)
