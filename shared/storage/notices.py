"""Notices: what somebody wants to hear of becomes deliveries, in the commit that makes it true."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias
from uuid import UUID

import sqlalchemy as sa

from shared.clock import Instant
from shared.domain.addresses import origin_of
from shared.domain.principal import Principal, Scope
from shared.domain.run import RunStatus
from shared.domain.webhook import TOLD, DeliveryStatus, WebhookEvent
from shared.ids import PrincipalId, RunId, SessionId, new_id
from shared.storage.each import insert_each
from shared.storage.lines import Line
from shared.storage.schema import deliveries, run_details, webhooks
from shared.storage.store import Transaction
from shared.storage.types import AnyRow, any_of

Listeners: TypeAlias = dict[UUID | None, list[AnyRow]]

# One look for both kinds: nobody listens, most of the time.
_SUBSCRIBED = sa.select(
    webhooks.c.owner_id.label("of"),
    webhooks.c.id.label("webhook_id"),
    webhooks.c.principal_id,
    webhooks.c.url,
    webhooks.c.events,
).where(any_of(webhooks.c.owner_id, "owners"), webhooks.c.disabled_at.is_(None))
_CALLED_BACK = sa.select(
    run_details.c.run_id,
    sa.null(),
    sa.null(),
    run_details.c.callback_url,
    sa.null(),
).where(any_of(run_details.c.run_id, "runs"), run_details.c.callback_url.is_not(None))
_LISTENERS = sa.union_all(_SUBSCRIBED, _CALLED_BACK)

_INSERT = insert_each(
    deliveries, "id", "webhook_id", "principal_id", "run_id", "session_id", "event", "url",
    "target", "correlation_id", "status", "next_at", "created_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What happened, in whose session; `principal_id` is who asked for the run."""

    event: WebhookEvent
    tenant: str
    user_id: str | None
    session_id: SessionId
    correlation_id: str | None
    run_id: RunId | None = None
    principal_id: PrincipalId | None = None

    @property
    def owners(self) -> set[PrincipalId]:
        """Whose subscriptions hear of it: the user's, and the tenant's."""
        return {owner_of(self.tenant, self.user_id), owner_of(self.tenant, None)}


@lru_cache(maxsize=10_000)
def owner_of(tenant: str, user_id: str | None) -> PrincipalId:
    """Name the owner of sessions: a user, or the tenant as a whole."""
    return Principal(tenant=tenant, user_id=user_id, scope=Scope.USER).id


async def notify_of_runs(
    transaction: Transaction, changed: Iterable[tuple[Line, AnyRow, RunStatus]], now: Instant
) -> set[UUID]:
    """Tell who listens that runs have come to this status; return the runs they hear of.

    Called by every verb that ends a run or makes it wait, in its own transaction.
    """
    told = [each for each in changed if each[2] in TOLD]
    owners = {(line.tenant, line.user_id) for line, _, _ in told}
    listeners = await _listeners(transaction, owners, [run.id for _, run, _ in told])
    if not listeners:
        return set()
    notices = [
        Notice(
            event=TOLD[status],
            tenant=line.tenant,
            user_id=line.user_id,
            session_id=line.id,
            correlation_id=run.correlation_id,
            run_id=run.id,
            principal_id=run.principal_id,
        )
        for line, run, status in told
    ]
    return await _tell(transaction, notices, listeners, now)


async def notify(transaction: Transaction, notices: Sequence[Notice], now: Instant) -> None:
    """Tell who listens of what is not about a run."""
    owners = {(notice.tenant, notice.user_id) for notice in notices}
    listeners = await _listeners(transaction, owners, ())
    await _tell(transaction, notices, listeners, now)


async def _listeners(
    transaction: Transaction, owners: Collection[tuple[str, str | None]], run_ids: Sequence[UUID]
) -> Listeners:
    """Find who listens, by the owner or the run that they listen to."""
    if not owners:
        return {}
    ids = {owner_of(*each) for each in owners} | {owner_of(tenant, None) for tenant, _ in owners}
    found = await transaction.execute(_LISTENERS, {"owners": ids, "runs": run_ids})
    listeners: Listeners = {}
    for row in found:
        listeners.setdefault(row.of, []).append(row)
    return listeners


async def _tell(
    transaction: Transaction, notices: Sequence[Notice], listeners: Listeners, now: Instant
) -> set[UUID]:
    """Write a delivery for each listener of each notice; return the runs they hear of."""
    rows = [
        _row(notice, listener, now)
        for notice in notices
        for of in {*notice.owners, notice.run_id} & listeners.keys()
        for listener in listeners[of]
        if listener.events is None or notice.event in listener.events
    ]
    await _INSERT.execute(transaction, rows)
    return {row["run_id"] for row in rows}


def _row(notice: Notice, listener: AnyRow, now: Instant) -> dict[str, Any]:
    return {
        "id": new_id(),
        "webhook_id": listener.webhook_id,
        "principal_id": listener.principal_id or notice.principal_id,
        "run_id": notice.run_id,
        "session_id": notice.session_id,
        "event": notice.event,
        "url": listener.url,
        "target": origin_of(listener.url),
        "correlation_id": notice.correlation_id,
        "status": DeliveryStatus.PENDING,
        "next_at": now,
        "created_at": now,
    }
