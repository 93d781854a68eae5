"""The log of deliveries: read, asked for again, and removed when it is old."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.clock import Instant
from shared.domain.jsontypes import JsonObject
from shared.domain.paging import Listing, Page
from shared.domain.principal import Principal
from shared.domain.webhook import (
    Delivery,
    DeliveryFilter,
    DeliveryStatus,
    Try,
    WebhookEvent,
)
from shared.ids import DeliveryId, WebhookId
from shared.storage.each import Each
from shared.storage.keyset import paged
from shared.storage.schema import deliveries
from shared.storage.store import Transaction
from shared.storage.types import AnyRow, any_of

_MOST_TRIES = 50  # that the log keeps of one delivery: the latest

_OLD = (
    sa.select(deliveries.c.id)
    .where(
        deliveries.c.created_at < sa.bindparam("_before", type_=sa.BigInteger),
        deliveries.c.next_at.is_(None),
    )
    .order_by(deliveries.c.created_at, deliveries.c.id)
    .limit(sa.bindparam("_limit", type_=sa.Integer))
    .with_for_update(skip_locked=True)
)
_REMOVE = deliveries.delete().where(any_of(deliveries.c.id, "ids"))


def _forgetting(about: sa.ColumnElement[bool]) -> tuple[sa.Executable, sa.Executable]:
    """Remove what was sent; what is still to be sent will say less."""
    sent = deliveries.delete().where(about, deliveries.c.next_at.is_(None))
    return sent, deliveries.update().where(about).values(body=None)


_FORGET_RUNS = _forgetting(any_of(deliveries.c.run_id, "ids"))
_FORGET_SESSIONS = _forgetting(
    sa.and_(
        any_of(deliveries.c.session_id, "ids"),
        # Spelt out, for its index is of these alone.
        deliveries.c.event == sa.literal_column(f"'{WebhookEvent.SESSION_EXPIRED}'"),
    )
)


async def page(
    reading: AsyncConnection,
    principal: Principal,
    webhook_id: WebhookId | None,
    filters: DeliveryFilter,
    slice_: Page,
) -> Listing[Delivery]:
    """List the deliveries of a subscription, which must be the caller's, or of its callbacks."""
    columns = [column for column in deliveries.c if column is not deliveries.c.body]
    query = sa.select(*columns).where(*_of(principal, webhook_id), *_conditions(filters))
    query = paged(query, slice_, deliveries.c.created_at, deliveries.c.id)
    rows = (await reading.execute(query)).all()
    return slice_.cut(
        [to_delivery(row) for row in rows], lambda each: (each.created_at, each.id.hex)
    )


async def again(
    transaction: Transaction,
    principal: Principal,
    webhook_id: WebhookId | None,
    delivery_id: DeliveryId,
    now: Instant,
) -> Delivery | None:
    """Make one due at once, with all its attempts before it; none if there is no such delivery.

    An attempt that is under way is logged and decides nothing any more.
    """
    values: dict[str, Any] = {
        "status": DeliveryStatus.PENDING,
        "attempts": 0,
        "next_at": now,
        "ended_at": None,
    }
    statement = deliveries.update().where(
        deliveries.c.id == delivery_id, *_of(principal, webhook_id)
    )
    row = (await transaction.execute(statement.values(values).returning(deliveries))).one_or_none()
    return to_delivery(row) if row else None


async def prune(transaction: Transaction, before: Instant, limit: int) -> int:
    """Remove what was made before and has ended, at most so many; return how many."""
    asked = {"_before": before, "_limit": limit}
    ids = list((await transaction.execute(_OLD, asked)).scalars())
    if ids:
        await transaction.execute(_REMOVE, {"ids": ids})
    return len(ids)


async def forget_runs(transaction: Transaction, run_ids: Collection[UUID]) -> None:
    """Remove what was sent of these runs; what is still to be sent will say less."""
    for statement in _FORGET_RUNS:
        await transaction.execute(statement, {"ids": run_ids})


async def forget_sessions(transaction: Transaction, session_ids: Collection[UUID]) -> None:
    """Do so with what was sent of these sessions themselves, and of none of their runs."""
    for statement in _FORGET_SESSIONS:
        await transaction.execute(statement, {"ids": session_ids})


def _of(principal: Principal, webhook_id: WebhookId | None) -> list[sa.ColumnElement[bool]]:
    if webhook_id is not None:
        return [deliveries.c.webhook_id == webhook_id]
    return [deliveries.c.webhook_id.is_(None), deliveries.c.principal_id == principal.id]


def _conditions(filters: DeliveryFilter) -> list[sa.ColumnElement[bool]]:
    wanted: dict[sa.Column[Any], object] = {
        deliveries.c.status: filters.status,
        deliveries.c.run_id: filters.run_id,
        deliveries.c.correlation_id: filters.correlation_id,
    }
    return [column == value for column, value in wanted.items() if value is not None]


def to_delivery(row: AnyRow) -> Delivery:
    """Read a row of `deliveries`."""
    return Delivery(
        id=row.id,
        webhook_id=row.webhook_id,
        event=WebhookEvent(row.event),
        status=DeliveryStatus(row.status),
        url=row.url,
        run_id=row.run_id,
        session_id=row.session_id,
        correlation_id=row.correlation_id,
        tries=tuple(Try(**each) for each in row.tries or ()),
        next_at=row.next_at,
        created_at=row.created_at,
        ended_at=row.ended_at,
    )


def with_try(tries: list[JsonObject] | None, tried: Try) -> list[JsonObject]:
    """Add an attempt to the log's JSON column, which keeps the latest."""
    row: JsonObject = {
        "at": tried.at,
        "milliseconds": tried.milliseconds,
        "status": tried.status,
        "error": tried.error,
        "answer": tried.answer,
    }
    return [*(tries or ()), row][-_MOST_TRIES:]


def update_each(*names: str) -> Each:
    """Make an update of these columns of many deliveries, found by `_id`."""
    return Each(
        {"_id": deliveries.c.id} | {name: deliveries.c[name] for name in names},
        lambda value: (
            deliveries.update()
            .where(deliveries.c.id == value("_id"))
            .values({name: value(name) for name in names})
        ),
    )
