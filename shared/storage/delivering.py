"""From due to delivered: attempts are taken with a hold, and what came of each is written."""

import random
from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.clock import Instant, after
from shared.domain.addresses import origin_of
from shared.domain.webhook import DeliveryStatus, Outgoing, Try, new_secret
from shared.ids import PrincipalId
from shared.storage import letters
from shared.storage.deliveries import update_each, with_try
from shared.storage.schema import deliveries, principals, webhooks
from shared.storage.store import Store, Transaction
from shared.storage.types import AnyRow, any_of
from shared.storage.webhooks import give_callback_secret

_TARGETS_A_LOOK = 1_000
_UNWANTED_A_LOOK = 500  # of one target

_now = sa.bindparam("_now", type_=sa.BigInteger)
# In order, so that no plan from an empty table goes by the index of targets.
_ANY_DUE = (
    sa.select(sa.literal(1))
    .where(deliveries.c.next_at <= _now)
    .order_by(deliveries.c.next_at)
    .limit(1)
)

# Skips from target to target along the index, however many deliveries each has.
_DUE_AT = "SELECT target FROM deliveries WHERE next_at IS NOT NULL AND target"
_TARGETS = sa.text(
    f"""
    WITH RECURSIVE target(name) AS (
      SELECT ({_DUE_AT} > '' ORDER BY target LIMIT 1)
      UNION ALL
      SELECT ({_DUE_AT} > target.name ORDER BY target LIMIT 1)
      FROM target WHERE target.name IS NOT NULL
    )
    SELECT name FROM target WHERE name IS NOT NULL AND EXISTS (
      SELECT 1 FROM deliveries WHERE target = target.name AND next_at <= :now
    ) LIMIT :most
    """
)
_DUE = (
    sa.select(
        deliveries,
        webhooks.c.url.label("webhook_url"),
        webhooks.c.secret,
        webhooks.c.old_secret,
        webhooks.c.old_until,
        webhooks.c.disabled_at,
    )
    .outerjoin_from(deliveries, webhooks, webhooks.c.id == deliveries.c.webhook_id)
    .where(deliveries.c.target == sa.bindparam("_target"), deliveries.c.next_at <= _now)
    .order_by(deliveries.c.next_at)
    .limit(sa.bindparam("_limit", type_=sa.Integer))
    .with_for_update(of=deliveries, skip_locked=True)
)
_PRINCIPALS = sa.select(principals).where(any_of(principals.c.id, "ids"))
_HOLD = update_each("next_at", "attempts", "body", "url", "target")
_END = update_each("status", "next_at", "ended_at", "tries")


async def any_due(store: Store, reading: AsyncConnection) -> bool:
    """Tell whether a delivery's time has come."""
    due = await reading.execute(_ANY_DUE, {"_now": await store.now(reading)})
    return due.first() is not None


async def take(
    store: Store,
    transaction: Transaction,
    *,
    room: int,
    share: int,
    rooms: Mapping[str, int],
    hold_seconds: float,
) -> list[Outgoing]:
    """Hold due deliveries, at most `room`; of one target `share`, or what `rooms` says.

    Whoever looks before the hold has passed does not see them. What its subscriber does not
    want any more ends here.
    """
    now = await store.now(transaction)
    due = await _due(transaction, now, room=room, share=share, rooms=rooms)
    unwanted = {row.id: why for row in due if (why := _unwanted(row))}
    await _END.execute(
        transaction, [_ended(row, unwanted[row.id], now) for row in due if row.id in unwanted]
    )
    wanted = [row for row in due if row.id not in unwanted]
    bodies = await _bodies(store, transaction, wanted)
    callers = {row.principal_id for row in wanted if row.webhook_id is None}
    callback_secrets = await _callback_secrets(transaction, callers, now)
    until = after(now, hold_seconds)
    outgoing = [
        _outgoing(row, bodies[row.id], callback_secrets, now=now, until=until) for row in wanted
    ]
    await _HOLD.execute(transaction, [_held(each) for each in outgoing])
    return outgoing


async def _due(
    transaction: Transaction, now: Instant, *, room: int, share: int, rooms: Mapping[str, int]
) -> list[AnyRow]:
    """Lock what is due, some of each target, in no order of targets."""
    asked = {"now": now, "most": _TARGETS_A_LOOK}
    targets = list((await transaction.execute(_TARGETS, asked)).scalars())
    random.shuffle(targets)
    rows: list[AnyRow] = []
    for target in targets:
        limit = min(room, rooms.get(target, share))
        if limit > 0:
            found = await _due_at(transaction, now, target, limit)
            rows += found
            room -= sum(_unwanted(row) is None for row in found)
    return rows


async def _due_at(
    transaction: Transaction, now: Instant, target: str, limit: int
) -> Sequence[AnyRow]:
    """Lock so many of a target that are wanted; with them, many that are not.

    What nobody wants any more may be very much, and what is wanted must not wait behind it.
    """
    asked: dict[str, Any] = {"_target": target, "_now": now, "_limit": limit}
    rows = (await transaction.execute(_DUE, asked)).all()
    if not any(map(_unwanted, rows)):
        return rows
    rows = (await transaction.execute(_DUE, asked | {"_limit": _UNWANTED_A_LOOK})).all()
    wanted = [row for row in rows if _unwanted(row) is None]
    return [row for row in rows if _unwanted(row)] + wanted[:limit]


def _unwanted(row: AnyRow) -> str | None:
    if row.webhook_id is None:
        return None
    if row.secret is None:
        return "the subscription has been deleted"
    return None if row.disabled_at is None else "the subscription is disabled"


def _ended(row: AnyRow, why: str, now: Instant) -> dict[str, Any]:
    return {
        "_id": row.id,
        "status": DeliveryStatus.FAILED,
        "next_at": None,
        "ended_at": now,
        "tries": with_try(row.tries, Try(at=now, milliseconds=0, error=why)),
    }


async def _bodies(
    store: Store, transaction: Transaction, rows: Sequence[AnyRow]
) -> dict[UUID, str]:
    written = {row.id: row.body for row in rows if row.body is not None}
    blank = [row for row in rows if row.body is None]
    return written | await letters.write(store, transaction, blank) if blank else written


async def _callback_secrets(
    transaction: Transaction, principal_ids: Collection[UUID], now: Instant
) -> dict[UUID, tuple[str, ...]]:
    """Read whom callbacks are signed for; who has no secret yet gets one now."""
    if not principal_ids:
        return {}
    found = {row.id: row for row in await transaction.execute(_PRINCIPALS, {"ids": principal_ids})}
    for principal_id in sorted(principal_ids):
        if principal_id not in found or found[principal_id].callback_secret is None:
            row = await give_callback_secret(transaction, PrincipalId(principal_id), new_secret())
            found[principal_id] = row
    return {
        row.id: _valid(row.callback_secret, row.old_callback_secret, row.old_callback_until, now)
        for row in found.values()
    }


def _valid(new: str, old: str | None, until: Instant | None, now: Instant) -> tuple[str, ...]:
    return (new, old) if old is not None and until is not None and until > now else (new,)


def _outgoing(
    row: AnyRow,
    body: str,
    callback_secrets: Mapping[UUID, tuple[str, ...]],
    *,
    now: Instant,
    until: Instant,
) -> Outgoing:
    url = row.webhook_url or row.url  # where it is sent to now, wherever it was to go at first
    return Outgoing(
        id=row.id,
        webhook_id=row.webhook_id,
        url=url,
        target=origin_of(url),
        body=body,
        secrets=(
            callback_secrets[row.principal_id]
            if row.webhook_id is None
            else _valid(row.secret, row.old_secret, row.old_until, now)
        ),
        correlation_id=row.correlation_id,
        attempt=row.attempts + 1,
        taken_at=now,
        held_until=until,
    )


def _held(outgoing: Outgoing) -> dict[str, Any]:
    return {
        "_id": outgoing.id,
        "next_at": outgoing.held_until,
        "attempts": outgoing.attempt,
        "body": outgoing.body,
        "url": outgoing.url,
        "target": outgoing.target,
    }
