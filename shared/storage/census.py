"""Sessions counted by how long they live: for those who list them, and for who asks how it goes."""

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.clock import Instant
from shared.domain.living import Visibility, Vitals
from shared.domain.principal import Principal
from shared.domain.session import Session
from shared.storage.rows import to_session
from shared.storage.schema import sessions
from shared.storage.sessions import SELECT, visible

_now = sa.bindparam("_now", type_=sa.BigInteger)
_kept = (sessions.c.ended_at.is_(None), sessions.c.deleted_at.is_(None))
_alive = sa.or_(sessions.c.expires_at.is_(None), sessions.c.expires_at > _now)
_MINUTE = 60_000_000

# What `Lifetime` never writes.
_invalid = sa.or_(
    sessions.c.timeout_minutes.is_(None) != sessions.c.expires_at.is_(None),
    sessions.c.timeout_minutes <= 0,
    sessions.c.auto_renew.is_(None) & sessions.c.timeout_minutes.is_not(None),
    sessions.c.expires_at > sessions.c.created_at + sessions.c.max_duration_minutes * _MINUTE + 1,
)
_SOON = sa.select(sa.func.count()).where(
    sessions.c.warn_at <= _now, sessions.c.expires_at > _now, *_kept
)
_LATE = sa.select(
    sa.or_(
        sa.exists().where(sessions.c.expires_at <= _now, sessions.c.expired_at.is_(None)),
        sa.exists().where(sessions.c.warn_at <= _now),
    )
)


async def newest(
    reading: AsyncConnection, principal: Principal, now: Instant, limit: int
) -> list[Session]:
    """Read the sessions of this caller that have not expired, the most active first."""
    query = (
        SELECT.where(*visible(principal), *_kept, _alive)
        .order_by(sessions.c.last_activity_at.desc(), sessions.c.id.desc())
        .limit(limit)
    )
    return [to_session(row) for row in await reading.execute(query, {"_now": now})]


async def counts(
    reading: AsyncConnection, principal: Principal, visibility: Visibility, now: Instant
) -> tuple[int, int]:
    """Count the sessions of this caller: that have not expired, and that can be seen."""
    horizon = visibility.horizon(now)
    seen = sa.or_(sessions.c.expires_at.is_(None), sessions.c.expires_at > horizon)
    query = sa.select(_count(_alive), sa.func.count()).where(*visible(principal), *_kept, seen)
    total, stored = (await reading.execute(query, {"_now": now})).one()
    return total, stored


async def vitals(
    reading: AsyncConnection, principal: Principal | None, now: Instant, *, late_before: Instant
) -> Vitals:
    """Count the sessions of this caller, or everybody's; what came due before is late."""
    whose = visible(principal) if principal else []
    query = sa.select(_count(_alive), _count(_invalid)).where(*whose, *_kept)
    active, invalid = (await reading.execute(query, {"_now": now})).one()
    soon = await reading.execute(_SOON.where(*whose), {"_now": now})
    late = await reading.execute(_LATE, {"_now": late_before})
    return Vitals(
        active=active,
        expiring_soon=soon.scalar_one(),
        invalid=invalid,
        late=bool(late.scalar_one()),
    )


def _count(condition: sa.ColumnElement[bool]) -> sa.Function[int]:
    return sa.func.count(sa.case((condition, 1)))
