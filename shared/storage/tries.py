"""What came of attempts at deliveries: logged, always; decisive, if their hold still stands."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from shared.clock import Instant, after
from shared.domain.errors import InturnError
from shared.domain.jsontypes import JsonObject
from shared.domain.webhook import DeliveryStatus, Tried, Try
from shared.storage.deliveries import update_each, with_try
from shared.storage.schema import deliveries, webhooks
from shared.storage.store import Store, Transaction
from shared.storage.types import any_of

_LOCKED = (
    sa.select(
        deliveries.c.id,
        deliveries.c.status,
        deliveries.c.next_at,
        deliveries.c.ended_at,
        deliveries.c.tries,
    )
    .where(any_of(deliveries.c.id, "ids"))
    .order_by(deliveries.c.id)
    .with_for_update()
)
_WRITE = update_each("status", "next_at", "ended_at", "tries")
_GONE = (
    webhooks.update()
    .where(
        webhooks.c.id == sa.bindparam("_id"),
        webhooks.c.url == sa.bindparam("_url"),
        webhooks.c.disabled_at.is_(None),
    )
    .values(
        disabled_at=sa.bindparam("_now", type_=sa.BigInteger),
        updated_at=sa.bindparam("_now", type_=sa.BigInteger),
    )
)


async def record(
    store: Store, transaction: Transaction, tried: Sequence[Tried]
) -> list[bool | InturnError]:
    """Write attempts; false where another has been taken since, or the delivery is gone."""
    ids = {each.outgoing.id for each in tried}
    locked = await transaction.execute(_LOCKED, {"ids": ids})
    rows = {row.id: _Row(**row._mapping) for row in locked}  # noqa: SLF001  (public in SQLAlchemy)
    now = await store.now(transaction)
    decided: list[bool | InturnError] = [
        each.outgoing.id in rows and rows[each.outgoing.id].take(each, now) for each in tried
    ]
    await _WRITE.execute(transaction, [row.written() for row in rows.values()])
    await _disable(transaction, tried, now)
    return decided


@dataclass(slots=True)
class _Row:
    """A locked delivery."""

    id: UUID
    status: str
    next_at: Instant | None
    ended_at: Instant | None
    tries: list[JsonObject] | None

    def take(self, tried: Tried, now: Instant) -> bool:
        """Log an attempt, and let it decide if it holds the delivery."""
        if any(each["at"] == tried.outgoing.taken_at for each in self.tries or ()):
            return True  # it is there: nobody knew whether its commit had arrived
        self.tries = with_try(self.tries, _try(tried))
        if self.next_at != tried.outgoing.held_until:
            return False
        if tried.verdict.again is not None:
            self.next_at = after(now, tried.verdict.again)
        else:
            delivered = tried.verdict.delivered
            self.status = DeliveryStatus.DELIVERED if delivered else DeliveryStatus.FAILED
            self.next_at, self.ended_at = None, now
        return True

    def written(self) -> dict[str, Any]:
        return {
            "_id": self.id,
            "status": self.status,
            "next_at": self.next_at,
            "ended_at": self.ended_at,
            "tries": self.tries,
        }


async def _disable(transaction: Transaction, tried: Sequence[Tried], now: Instant) -> None:
    """Send nothing more to URLs that said they are gone for good, unless they have changed."""
    gone = {
        (each.outgoing.webhook_id, each.outgoing.url)
        for each in tried
        if each.verdict.gone and each.outgoing.webhook_id is not None
    }
    for webhook_id, url in sorted(gone):
        await transaction.execute(_GONE, {"_id": webhook_id, "_url": url, "_now": now})


def _try(tried: Tried) -> Try:
    return Try(
        at=tried.outgoing.taken_at,
        milliseconds=tried.answer.milliseconds,
        status=tried.answer.status,
        error=tried.answer.error,
        answer=tried.answer.excerpt,
    )
