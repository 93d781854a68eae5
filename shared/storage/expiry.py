"""Sessions that expire by themselves: renewed by messages, marked once near the end and past it."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.clock import Instant
from shared.domain.webhook import WebhookEvent
from shared.ids import SessionId
from shared.storage.each import Each
from shared.storage.instants import Brought
from shared.storage.lines import Line
from shared.storage.notices import Notice, notify
from shared.storage.schema import sessions
from shared.storage.store import Store, Transaction
from shared.storage.types import any_of

_A_ROUND = 200

_now = sa.bindparam("_now", type_=sa.BigInteger)

_WRITTEN = (
    "timeout_minutes", "auto_renew", "max_duration_minutes", "warning_threshold_minutes",
    "expires_at", "warn_at", "renewal_count", "warned_at", "expired_at",
)  # fmt: skip
_SAVE = Each(
    {"_id": sessions.c.id} | {name: sessions.c[name] for name in _WRITTEN},
    lambda value: (
        sessions.update()
        .where(sessions.c.id == value("_id"))
        .values({name: value(name) for name in _WRITTEN})
    ),
)


def _come(instant: sa.Column[Any], *conditions: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """Find sessions of which an instant has come; whoever holds one sees to it afterwards."""
    return (
        sa.select(sessions.c.id)
        .where(instant <= _now, *conditions)
        .order_by(instant)
        .limit(_A_ROUND)
        .with_for_update(skip_locked=True, key_share=True)
    )


_UP = _come(sessions.c.expires_at, sessions.c.expired_at.is_(None))
_NEAR = _come(sessions.c.warn_at)
_ANYTHING = sa.select(
    sa.or_(
        sa.exists().where(sessions.c.expires_at <= _now, sessions.c.expired_at.is_(None)),
        sa.exists().where(sessions.c.warn_at <= _now),
    )
)
_MARK = (
    sessions.update()
    .where(any_of(sessions.c.id, "ids"))
    .values(expired_at=_now, warn_at=None, version=sessions.c.version + 1)
    .returning(
        sessions.c.id,
        sessions.c.tenant,
        sessions.c.user_id,
        sessions.c.correlation_id,
        # SQLite 3.40 says 0 to IS NULL in RETURNING: what is null is asked here.
        sessions.c.ended_at,
        sessions.c.deleted_at,
    )
)
_lives = sa.and_(
    sessions.c.expires_at > _now, sessions.c.ended_at.is_(None), sessions.c.deleted_at.is_(None)
)
_WARN = (
    sessions.update()
    .where(any_of(sessions.c.id, "ids"))
    .values(
        warn_at=None,
        warned_at=sa.case((_lives, _now), else_=sessions.c.warned_at),
        version=sessions.c.version + sa.case((_lives, 1), else_=0),
    )
)


def renew(line: Line, now: Instant) -> bool:
    """Put off the end of a locked session that a message came to, if its policy says so.

    One that has expired stays so. Tell whether there is something to `save`.
    """
    lifetime = line.lifetime
    if lifetime is None or not lifetime.expiry.auto_renew or lifetime.over(now):
        return False
    line.lifetime = lifetime.renewed(now)
    return True


async def save(transaction: Transaction, lines: Sequence[Line]) -> None:
    """Write how long locked sessions live from now on; their versions move with it."""
    await _SAVE.execute(transaction, [_row(line) for line in lines if line.lifetime])


def _row(line: Line) -> dict[str, Any]:
    lifetime = line.lifetime
    assert lifetime is not None  # noqa: S101  (who has none is not saved)
    return {
        "_id": line.id,
        **asdict(lifetime.expiry),
        "expires_at": lifetime.expires_at,
        "warn_at": lifetime.warn_at,
        "renewal_count": lifetime.renewal_count,
        "warned_at": lifetime.warned_at,
        "expired_at": lifetime.expired_at,
    }


async def anything(store: Store, reading: AsyncConnection) -> bool:
    """Tell whether a session's time is up, or its end is near, and nobody said so yet."""
    return bool((await reading.execute(_ANYTHING, {"_now": await store.now(reading)})).scalar())


async def expire(store: Store, transaction: Transaction) -> Brought:
    """Mark some sessions whose time is up, and tell who listens.

    Each is marked once, whoever sweeps; they go on being served.
    """
    now = await store.now(transaction)
    ids = list((await transaction.execute(_UP, {"_now": now})).scalars())
    if not ids:
        return Brought()
    marked = (await transaction.execute(_MARK, {"ids": ids, "_now": now})).all()
    notices = [
        Notice(
            event=WebhookEvent.SESSION_EXPIRED,
            tenant=row.tenant,
            user_id=row.user_id,
            session_id=row.id,
            correlation_id=row.correlation_id,
        )
        for row in marked
        if row.ended_at is None and row.deleted_at is None
    ]
    await notify(transaction, notices, now)
    return _brought(ids)


async def warn(store: Store, transaction: Transaction) -> Brought:
    """Mark some sessions whose end is near; each is marked once, whoever sweeps.

    One that ended meanwhile, in whichever way, is only looked at no more.
    """
    now = await store.now(transaction)
    ids = list((await transaction.execute(_NEAR, {"_now": now})).scalars())
    if not ids:
        return Brought()
    await transaction.execute(_WARN, {"ids": ids, "_now": now})
    return _brought(ids)


def _brought(ids: Sequence[UUID]) -> Brought:
    return Brought(sessions=tuple(map(SessionId, ids)), more=len(ids) == _A_ROUND)
