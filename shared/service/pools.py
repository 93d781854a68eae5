"""Pools: an operator's hand on what starts."""

from collections.abc import Awaitable, Callable

from shared.dispatch.relay import Relay
from shared.domain.errors import NotFound
from shared.domain.operations import Pool
from shared.storage import pools as rows
from shared.storage.store import Store, Transaction


class Pools:
    """Which runs may start, pool by pool; what runs is never touched."""

    def __init__(self, store: Store, relay: Relay) -> None:
        self._store = store
        self._relay = relay

    async def list(self) -> list[Pool]:
        """List every pool that an agent or a worker ever named."""
        async with self._store.reading() as reading:
            return await rows.all_pools(reading)

    async def pause(self, name: str) -> Pool:
        """Start none of its runs until it is resumed. Raises NotFound("pool")."""

        async def change(transaction: Transaction) -> bool:
            return await rows.pause(transaction, name, await self._store.now(transaction))

        return await self._change(name, change)

    async def resume(self, name: str) -> Pool:
        """Start its runs again, at once. Raises NotFound("pool")."""
        return await self._change(name, lambda transaction: rows.resume(transaction, name))

    async def limit(self, name: str, max_running: int | None) -> Pool:
        """Say how many of its runs may run at once; null is no bound. Raises NotFound("pool")."""

        async def change(transaction: Transaction) -> bool:
            return await rows.limit(transaction, name, max_running)

        return await self._change(name, change)

    async def _change(self, name: str, change: Callable[[Transaction], Awaitable[bool]]) -> Pool:
        async with self._store.transaction() as transaction:
            known = await change(transaction)
        self._relay.poke([name] if known else [])
        async with self._store.reading() as reading:
            pool = await rows.fetch(reading, name)
        if pool is None:
            raise NotFound("pool")
        return pool
