"""Meters: who may ask how often, decided in the transaction that counts.

A meter is one row, locked before sessions; so a rate is exact however many processes ask.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from shared.clock import SECOND, Instant
from shared.domain.errors import RateLimited
from shared.domain.rates import Allowance, Meter, allowance, charge, passes_at, refund
from shared.storage.each import Each
from shared.storage.schema import meters
from shared.storage.store import Transaction
from shared.storage.types import Members, any_of

# Makes the rows that are missing and locks all, in one order, whatever is deleted meanwhile;
# what it returns is as young as its locks.
_LOCK = {
    dialect: sa.text(
        f"""
    INSERT INTO meters (subject, arrival_at) SELECT value, 0 FROM {subjects} WHERE true
    ORDER BY value ON CONFLICT (subject) DO UPDATE SET arrival_at = meters.arrival_at
    RETURNING subject, arrival_at
    """
    ).bindparams(sa.bindparam("subjects", type_=Members(sa.Text)))
    for dialect, subjects in {
        "sqlite": "json_each(:subjects)",
        "postgresql": "unnest(CAST(:subjects AS text[])) AS value",
    }.items()
}
_SAVE = Each(
    {"_subject": meters.c.subject, "_arrival": meters.c.arrival_at},
    lambda value: (
        meters.update()
        .where(meters.c.subject == value("_subject"))
        .values(arrival_at=value("_arrival"))
    ),
)
_PERIODS = {1: "a second", 60: "a minute", 3600: "an hour"}


class Meters:
    """The locked meters of a batch; what is charged is written by `save`."""

    def __init__(self, arrivals: Mapping[str, Instant]) -> None:
        self._arrivals = dict(arrivals)
        self._changed: set[str] = set()

    @classmethod
    async def lock(cls, transaction: Transaction, wanted: Iterable[Meter]) -> "Meters":
        """Lock these meters, in order, until the transaction ends; without any, do nothing."""
        subjects = sorted({meter.subject for meter in wanted if meter.subject is not None})
        if not subjects:
            return cls({})
        lock = _LOCK[transaction.dialect.name]
        rows = await transaction.execute(lock, {"subjects": subjects})
        return cls({row.subject: row.arrival_at for row in rows})

    def charge(self, charged: Sequence[Meter], now: Instant) -> tuple[Allowance, ...]:
        """Charge all of these meters, or none and raise RateLimited; say what is left."""
        full = {each: at for each in charged if (at := self.passes_at(each, now)) > now}
        if full:
            raise _refusal(full, now)
        for meter in charged:
            self._set(meter, charge(meter.rate, self._arrival(meter), now))
        return self.left(charged, now)

    def left(self, of: Sequence[Meter], now: Instant) -> tuple[Allowance, ...]:
        """Say what each of these meters has left."""
        return tuple(allowance(each, self._arrival(each), now) for each in of)

    def passes_at(self, meter: Meter, now: Instant, behind: int = 0) -> Instant:
        """Tell when a request passes that `behind` others go before."""
        return passes_at(meter.rate, self._arrival(meter), now, behind)

    def refund(self, meter: Meter) -> None:
        """Give back what one request was charged."""
        self._set(meter, refund(meter.rate, self._arrival(meter)))

    async def save(self, transaction: Transaction) -> None:
        """Write what was charged; for nothing, nothing happens."""
        rows = [
            {"_subject": subject, "_arrival": self._arrivals[subject]}
            for subject in sorted(self._changed)
        ]
        await _SAVE.execute(transaction, rows)

    def _arrival(self, meter: Meter) -> Instant:
        return self._arrivals[meter.subject or ""]

    def _set(self, meter: Meter, arrival_at: Instant) -> None:
        subject = meter.subject or ""
        self._arrivals[subject] = arrival_at
        self._changed.add(subject)


def _refusal(full: Mapping[Meter, Instant], now: Instant) -> RateLimited:
    strictest = max(full, key=lambda meter: full[meter])
    rate, seconds = strictest.rate, (full[strictest] - now) / SECOND
    messages = f"{rate.count} message{'s' if rate.count > 1 else ''}"
    at_once = f", {rate.burst} at once" if rate.burst != rate.count else ""
    detail = (
        f"This {strictest.name} may post {messages} {_PERIODS[rate.period_seconds]}{at_once}; "
        f"the next one passes in {math.ceil(seconds)} s."
    )
    return RateLimited(detail, retry_after=seconds)


async def forget_idle(transaction: Transaction, before: Instant, limit: int) -> int:
    """Remove meters whose last charge was used up `before`; tell how many of `limit` there were.

    Such a row says nothing that a missing one does not.
    """
    idle = (
        sa.select(meters.c.subject)
        .where(meters.c.arrival_at < before)
        .order_by(meters.c.arrival_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    subjects: list[Any] = list((await transaction.execute(idle)).scalars())
    if subjects:
        gone = meters.delete().where(any_of(meters.c.subject, "subjects"))
        await transaction.execute(gone, {"subjects": subjects})
    return len(subjects)
