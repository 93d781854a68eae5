"""Retention: what has served goes, in small batches, and nobody waits long for any of them."""

from collections import deque
from collections.abc import Mapping

import structlog

from shared import telemetry
from shared.clock import SECOND, Instant, monotonic
from shared.domain.errors import Unavailable
from shared.domain.findings import Keeping
from shared.domain.idempotency import KEPT
from shared.storage.retention import KINDS, oldest
from shared.storage.store import Store, Transaction

log = structlog.get_logger(__name__)

_AT_ONCE = 500
_DAY = 86_400.0


def keeping_times(
    *, event_seconds: float, delivery_days: float, worker_days: float
) -> dict[str, float]:
    """Say for how many seconds each kind is kept."""
    return {
        "deleted sessions": 0.0,
        "deltas of settled runs": event_seconds,
        "idempotency keys": KEPT / SECOND,
        "deliveries that ended": delivery_days * _DAY,
        "idle meters": 0.0,
        "workers that left": worker_days * _DAY,
    }


class Retention:
    """Removes what is older than it is kept, and tells how old the oldest is."""

    def __init__(
        self, store: Store, keep: Mapping[str, float], *, budget_seconds: float = 1.0
    ) -> None:
        self._store = store
        self._keep = dict(keep)
        self._budget = budget_seconds
        self._order = deque(keep)

    async def sweep(self) -> None:
        """Remove a batch of each kind in turn, until nothing is left to remove or time is up."""
        self._order.rotate(1)  # one that never ends must not always come before the others
        due, until = deque(self._order), monotonic() + self._budget
        while due and monotonic() < until:
            name = due.popleft()
            try:
                removed = await self._remove(name)
            except Unavailable:
                raise
            except Exception:
                log.exception("retention_failed", kind=name)
                continue
            telemetry.REMOVED.labels(name).inc(removed)
            if removed == _AT_ONCE:
                due.append(name)

    async def _remove(self, name: str) -> int:
        async def remove(transaction: Transaction) -> int:
            now = await self._store.now(transaction)
            before = Instant(now - round(self._keep[name] * SECOND))
            return await KINDS[name].remove(transaction, before, _AT_ONCE)

        return await self._store.write(remove)

    async def keepings(self) -> list[Keeping]:
        """Tell how long each kind is kept, and since when its oldest is there."""
        async with self._store.reading() as reading:
            return [
                Keeping(name=name, seconds=seconds, oldest_at=await oldest(reading, KINDS[name]))
                for name, seconds in self._keep.items()
            ]
