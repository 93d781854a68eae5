"""Whose turn it is: the principals that have something to announce."""

from uuid import UUID, uuid4

import sqlalchemy as sa

from shared.clock import Instant
from shared.storage.store import Transaction

_PRINCIPALS_A_LOOK = 1000
_anywhere = uuid4

# Skips from principal to principal along the index, however many rows each has. Who has
# only rows on hold is left out, or would use up the turn of others.
_TAKEABLE = """
  SELECT principal_id FROM runs WHERE dispatch = 'ready' AND pool = :pool
  AND (announce_hold_until IS NULL OR announce_hold_until <= :now)"""
_SKIP_SCAN = (
    sa.text(
        f"""
    WITH RECURSIVE principal(id) AS (
      SELECT ({_TAKEABLE} AND principal_id >= :first ORDER BY principal_id LIMIT 1)
      UNION ALL
      SELECT ({_TAKEABLE} AND principal_id > principal.id ORDER BY principal_id LIMIT 1)
      FROM principal WHERE principal.id IS NOT NULL
    )
    SELECT id FROM principal WHERE id IS NOT NULL LIMIT :most
    """
    )
    .bindparams(sa.bindparam("first", type_=sa.Uuid))
    .columns(id=sa.Uuid)
)


async def waiting_principals(transaction: Transaction, pool: str, now: Instant) -> list[UUID]:
    """List who has rows to take; of more than one look takes in, another part each time."""

    async def beginning(first: UUID) -> list[UUID]:
        asked = {"pool": pool, "now": now, "first": first, "most": _PRINCIPALS_A_LOOK}
        return list((await transaction.execute(_SKIP_SCAN, asked)).scalars())

    found = await beginning(UUID(int=0))
    if len(found) < _PRINCIPALS_A_LOOK:
        return found
    return list(dict.fromkeys(await beginning(_anywhere()) + found))


async def count_waiting(reading: Transaction, pool: str, now: Instant, most: int) -> int:
    """Count who has rows to take, up to `most`."""
    asked = {"pool": pool, "now": now, "first": UUID(int=0), "most": most}
    return len((await reading.execute(_SKIP_SCAN, asked)).all())
