"""API keys: only a hash is kept."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.clock import Instant
from shared.domain.paging import Listing, Page
from shared.domain.principal import Key
from shared.domain.requests import NewKey
from shared.ids import KeyId
from shared.storage.keyset import paged
from shared.storage.rows import to_key
from shared.storage.schema import keys
from shared.storage.store import Transaction
from shared.storage.upserts import insert_into

_BY_HASH = sa.select(keys).where(keys.c.hash == sa.bindparam("_hash"))


async def insert(
    transaction: Transaction,
    key_id: KeyId,
    new: NewKey,
    *,
    prefix: str,
    digest: bytes,
    now: Instant,
) -> Key:
    """Write a key; a hash that is already there is left as it is and returned."""
    known = (await transaction.execute(_BY_HASH, {"_hash": digest})).one_or_none()
    if known is None:
        values: dict[str, Any] = {
            "id": key_id,
            "name": new.name,
            "prefix": prefix,
            "hash": digest,
            "scope": new.scope,
            "tenant": new.tenant,
            "user_id": new.user_id,
            "created_at": now,
            "expires_at": new.expires_at,
        }
        # Processes that start together bring the same bootstrap key.
        insert = insert_into(transaction, keys).on_conflict_do_nothing(index_elements=["hash"])
        await transaction.execute(insert, values)
        known = (await transaction.execute(_BY_HASH, {"_hash": digest})).one()
    return to_key(known)


async def by_hash(reading: AsyncConnection, digest: bytes) -> Key | None:
    """Find a key by the hash of its secret."""
    row = (await reading.execute(_BY_HASH, {"_hash": digest})).one_or_none()
    return to_key(row) if row else None


async def touch(transaction: Transaction, key_id: KeyId, now: Instant) -> None:
    """Remember the last use."""
    used = keys.update().where(keys.c.id == key_id)
    await transaction.execute(used.values(last_used_at=now))


async def revoke(transaction: Transaction, key_id: KeyId, now: Instant) -> bool:
    """End a key; false if there is none. Revoking again changes nothing."""
    ended = keys.update().where(keys.c.id == key_id)
    values = {"revoked_at": sa.func.coalesce(keys.c.revoked_at, now)}
    return (await transaction.execute(ended.values(values))).rowcount > 0


async def page(reading: AsyncConnection, slice_: Page) -> Listing[Key]:
    """List keys by creation."""
    query = paged(sa.select(keys), slice_, keys.c.created_at, keys.c.id)
    rows = (await reading.execute(query)).all()
    return slice_.cut(list(map(to_key, rows)), lambda key: (key.created_at, key.id.hex))
