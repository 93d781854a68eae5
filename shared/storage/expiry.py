"""Sessions that expire by themselves: renewed by messages, marked once when their time is up."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from shared.clock import SECOND, Instant
from shared.domain.webhook import WebhookEvent
from shared.storage.notices import Notice, notify
from shared.storage.schema import sessions
from shared.storage.store import Store, Transaction
from shared.storage.types import any_of

_A_ROUND = 200

_now = sa.bindparam("_now", type_=sa.BigInteger)


def _microseconds(minutes: sa.ColumnElement[Any]) -> sa.ColumnElement[int]:
    return sa.cast(minutes * (60 * SECOND), sa.BigInteger)


_renewed = _now + _microseconds(sessions.c.timeout_minutes)
_latest = sessions.c.created_at + _microseconds(sessions.c.max_duration_minutes)
# Spells `Expiry.expires_at` in SQL: few sessions have a policy, and their lines do not know it.
_RENEW = (
    sessions.update()
    .where(
        any_of(sessions.c.id, "ids"),
        sessions.c.auto_renew,
        sessions.c.expired_at.is_(None),
        sessions.c.expires_at > _now,
    )
    .values(
        expires_at=sa.case((_renewed > _latest, _latest), else_=_renewed),
        renewal_count=sessions.c.renewal_count + 1,
        warned_at=None,
    )
)
_UP = (
    sa.select(sessions.c.id)
    .where(sessions.c.expires_at <= _now, sessions.c.expired_at.is_(None))
    .order_by(sessions.c.expires_at)
    .limit(_A_ROUND)
    .with_for_update(skip_locked=True, key_share=True)
)
_MARK = (
    sessions.update()
    .where(any_of(sessions.c.id, "ids"))
    .values(expired_at=_now)
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


async def renew(transaction: Transaction, ids: Collection[UUID], now: Instant) -> None:
    """Put off the expiry of locked sessions that a message came to; the version moves with it.

    Those that expired, and those whose policy does not say so, stay as they are.
    """
    if ids:
        await transaction.execute(_RENEW, {"ids": ids, "_now": now})


async def expire(store: Store, transaction: Transaction) -> bool:
    """Mark some sessions whose time is up, and tell who listens; tell if there may be more.

    Each is marked once, whoever sweeps; they go on being served.
    """
    now = await store.now(transaction)
    ids = list((await transaction.execute(_UP, {"_now": now})).scalars())
    if not ids:
        return False
    marked = await transaction.execute(_MARK, {"ids": ids, "_now": now})
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
    return len(ids) == _A_ROUND
