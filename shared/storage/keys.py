"""API keys: only a hash is kept."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.clock import Instant
from shared.domain.errors import KeyEnded, NotFound
from shared.domain.paging import Listing, Page
from shared.domain.principal import Key
from shared.domain.requests import NewKey
from shared.ids import KeyId
from shared.storage.keyset import paged
from shared.storage.rows import to_key
from shared.storage.schema import keys
from shared.storage.store import Transaction
from shared.storage.upserts import insert_into

_hash = sa.bindparam("_hash", type_=sa.LargeBinary)
# Two looks, each by its index: an OR of the two columns would read every key.
_IS_ITS_SECRET = keys.c.id.in_(
    sa.union_all(
        sa.select(keys.c.id).where(keys.c.hash == _hash),
        sa.select(keys.c.id).where(keys.c.old_hash == _hash),
    )
)
# A secret that was rotated away stays known, so that no start brings it back as a new key.
_KNOWN = sa.select(keys).where(_IS_ITS_SECRET)
_BY_HASH = sa.select(keys).where(
    _IS_ITS_SECRET,
    sa.or_(keys.c.hash == _hash, keys.c.old_until > sa.bindparam("_now", type_=sa.BigInteger)),
)
_LOCKED = sa.select(keys).where(keys.c.id == sa.bindparam("_id")).with_for_update()


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
    known = (await transaction.execute(_KNOWN, {"_hash": digest})).one_or_none()
    if known is None:
        values: dict[str, Any] = {
            "id": key_id,
            "name": new.name,
            "prefix": prefix,
            "hash": digest,
            "scope": new.scope,
            "tenant": new.tenant,
            "user_id": new.user_id,
            "rate_limit": new.rate_limit,
            "max_running": new.max_running,
            "created_at": now,
            "expires_at": new.expires_at,
        }
        # Processes that start together bring the same bootstrap key.
        insert = insert_into(transaction, keys).on_conflict_do_nothing(index_elements=["hash"])
        await transaction.execute(insert, values)
        known = (await transaction.execute(_KNOWN, {"_hash": digest})).one()
    return to_key(known)


async def by_hash(reading: AsyncConnection, digest: bytes, now: Instant) -> tuple[Key, bool] | None:
    """Find a key by the hash of its secret; tell whether that is the one before a rotation."""
    row = (await reading.execute(_BY_HASH, {"_hash": digest, "_now": now})).one_or_none()
    return (to_key(row), row.hash != digest) if row else None


async def rotate(
    transaction: Transaction,
    key_id: KeyId,
    *,
    prefix: str,
    digest: bytes,
    now: Instant,
    old_until: Instant,
) -> Key:
    """Give a key another secret. Raises NotFound("key"), KeyEnded."""
    row = (await transaction.execute(_LOCKED, {"_id": key_id})).one_or_none()
    if row is None:
        raise NotFound("key")
    if row.revoked_at is not None:
        raise KeyEnded("This key is revoked; make a new one.")
    if row.expires_at is not None and row.expires_at <= now:
        raise KeyEnded("This key has expired; make a new one.")
    values = {"prefix": prefix, "hash": digest, "old_hash": row.hash, "old_until": old_until}
    rotated = keys.update().where(keys.c.id == key_id).values(values).returning(keys)
    return to_key((await transaction.execute(rotated)).one())


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
