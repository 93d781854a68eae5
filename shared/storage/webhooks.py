"""Subscriptions, and the secret that signs a principal's callbacks."""

from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.clock import Instant
from shared.domain.paging import Listing, Page
from shared.domain.principal import Principal, Scope
from shared.domain.webhook import NewWebhook, Rotated, Webhook, WebhookChange, WebhookEvent
from shared.ids import PrincipalId, WebhookId
from shared.storage.keyset import paged
from shared.storage.schema import principals, webhooks
from shared.storage.store import Transaction
from shared.storage.types import AnyRow
from shared.storage.upserts import insert_into

_LOCK_PRINCIPAL = (
    sa.select(principals.c.id).where(principals.c.id == sa.bindparam("_id")).with_for_update()
)
_COUNT = sa.select(sa.func.count()).where(webhooks.c.principal_id == sa.bindparam("_id"))


def of(principal: Principal) -> list[sa.ColumnElement[bool]]:
    """Return the conditions under which a subscription exists for this caller.

    Who may see one user's sessions only does not touch what hears of a whole tenant's.
    """
    conditions = [webhooks.c.principal_id == principal.id]
    if principal.scope is Scope.USER:
        conditions.append(webhooks.c.owner_id == principal.id)
    return conditions


async def count(transaction: Transaction, principal_id: PrincipalId) -> int:
    """Count a principal's subscriptions; nobody adds one until this transaction ends."""
    await _lock_principal(transaction, principal_id)
    found = await transaction.execute(_COUNT, {"_id": principal_id})
    return int(found.scalar_one())


async def insert(
    transaction: Transaction,
    webhook_id: WebhookId,
    new: NewWebhook,
    *,
    principal_id: PrincipalId,
    owner_id: PrincipalId,
    secret: str,
    now: Instant,
) -> Webhook:
    """Write a subscription."""
    row = {
        "id": webhook_id,
        "principal_id": principal_id,
        "owner_id": owner_id,
        "name": new.name,
        "url": new.url,
        "events": list(new.events),
        "secret": secret,
        "created_at": now,
        "updated_at": now,
    }
    inserted = await transaction.execute(webhooks.insert().returning(webhooks), row)
    return _to_webhook(inserted.one())


async def fetch(
    reading: AsyncConnection, principal: Principal, webhook_id: WebhookId
) -> Webhook | None:
    """Read one, if it exists for this caller."""
    query = sa.select(webhooks).where(webhooks.c.id == webhook_id, *of(principal))
    row = (await reading.execute(query)).one_or_none()
    return _to_webhook(row) if row else None


async def page(reading: AsyncConnection, principal: Principal, slice_: Page) -> Listing[Webhook]:
    """List them by creation."""
    query = sa.select(webhooks).where(*of(principal))
    query = paged(query, slice_, webhooks.c.created_at, webhooks.c.id)
    rows = (await reading.execute(query)).all()
    found = [_to_webhook(row) for row in rows]
    return slice_.cut(found, lambda each: (each.created_at, each.id.hex))


async def change(
    transaction: Transaction,
    principal: Principal,
    webhook_id: WebhookId,
    change: WebhookChange,
    now: Instant,
) -> Webhook | None:
    """Change one, if it exists for this caller."""
    values: dict[str, Any] = {"updated_at": now}
    if change.url is not None:
        values["url"] = change.url
    if change.events is not None:
        values["events"] = list(change.events)
    if change.name is not None:
        values["name"] = change.name or None
    if change.enabled is not None:
        disabled = sa.func.coalesce(webhooks.c.disabled_at, now)
        values["disabled_at"] = None if change.enabled else disabled
    statement = webhooks.update().where(webhooks.c.id == webhook_id, *of(principal))
    changed = await transaction.execute(statement.values(values).returning(webhooks))
    row = changed.one_or_none()
    return _to_webhook(row) if row else None


async def remove(transaction: Transaction, principal: Principal, webhook_id: WebhookId) -> bool:
    """Delete one; what was to be delivered to it ends when it is due."""
    statement = webhooks.delete().where(webhooks.c.id == webhook_id, *of(principal))
    return (await transaction.execute(statement)).rowcount > 0


async def renew(
    transaction: Transaction,
    principal: Principal,
    webhook_id: WebhookId,
    rotated: Rotated,
    now: Instant,
) -> bool:
    """Give one a new secret; false if it does not exist for this caller."""
    statement = webhooks.update().where(webhooks.c.id == webhook_id, *of(principal))
    values = {
        "old_secret": webhooks.c.secret,
        "old_until": rotated.old_until,
        "secret": rotated.secret,
        "updated_at": now,
    }
    return (await transaction.execute(statement.values(values))).rowcount > 0


async def renew_callbacks(
    transaction: Transaction, principal_id: PrincipalId, rotated: Rotated
) -> None:
    """Give a principal's callbacks a new secret."""
    await _lock_principal(transaction, principal_id)
    statement = principals.update().where(principals.c.id == principal_id)
    values = {
        "old_callback_secret": principals.c.callback_secret,
        "old_callback_until": rotated.old_until,
        "callback_secret": rotated.secret,
    }
    await transaction.execute(statement.values(values))


async def give_callback_secret(
    transaction: Transaction, principal_id: PrincipalId, secret: str
) -> AnyRow:
    """Return the principal's row, with this secret if it had none."""
    insert = insert_into(transaction, principals)
    kept = sa.func.coalesce(principals.c.callback_secret, insert.excluded.callback_secret)
    upsert = insert.on_conflict_do_update(
        index_elements=["id"], set_={"callback_secret": kept}
    ).returning(principals)
    row = {"id": principal_id, "callback_secret": secret}
    given: AnyRow = (await transaction.execute(upsert, row)).one()
    return given


async def _lock_principal(transaction: Transaction, principal_id: UUID) -> None:
    insert = insert_into(transaction, principals).on_conflict_do_nothing(index_elements=["id"])
    await transaction.execute(insert, {"id": principal_id})
    await transaction.execute(_LOCK_PRINCIPAL, {"_id": principal_id})


def _to_webhook(row: AnyRow) -> Webhook:
    return Webhook(
        id=row.id,
        principal_id=row.principal_id,
        owner_id=row.owner_id,
        name=row.name,
        url=row.url,
        events=tuple(WebhookEvent(each) for each in row.events),
        disabled_at=row.disabled_at,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
