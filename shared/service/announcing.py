"""The relay's source: ready rows, held while they travel."""

from collections.abc import Sequence

from shared.dispatch.relay import PoolBusy
from shared.domain.execution import Announcement
from shared.storage import announcing as rows
from shared.storage.store import Store, Transaction


class Announcing:
    """One transaction each, none open while the broker is spoken to.

    A broker in this process takes what it has room for at once and dies with us: there the
    mark needs no confirmation (`certain`) and is written with the hold.
    """

    def __init__(self, store: Store, *, certain: bool = False) -> None:
        self._store = store
        self._certain = certain

    async def take(self, pool: str, limit: int) -> list[Announcement]:
        """Hold ready runs of a pool, as many as its windows have room for. Raises PoolBusy."""

        async def hold(transaction: Transaction) -> list[Announcement] | None:
            taken = await rows.take(self._store, transaction, pool, limit)
            if taken and self._certain:
                await rows.mark(self._store, transaction, taken)
            return taken

        taken = await self._store.write(hold)
        if taken is None:
            raise PoolBusy(pool)
        return taken

    async def mark(self, announced: Sequence[Announcement]) -> None:
        """Say that the broker has them."""
        if not self._certain:
            await self._store.write(lambda tx: rows.mark(self._store, tx, announced))

    async def release(self, untaken: Sequence[Announcement]) -> None:
        """Let go of what the broker did not confirm."""
        if self._certain:
            await self._store.write(lambda tx: rows.unmark(tx, untaken))
        else:
            await self._store.write(lambda tx: rows.release(tx, untaken))
