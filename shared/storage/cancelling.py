"""Cancel: a flag under the session's lock; what no worker holds ends with it."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from shared.clock import Instant
from shared.domain.run import RunStatus
from shared.storage import events
from shared.storage.each import Each
from shared.storage.lines import Line
from shared.storage.notices import notify_of_runs
from shared.storage.schema import runs
from shared.storage.store import Transaction
from shared.storage.types import AnyRow

Stays: TypeAlias = Callable[[AnyRow], bool]

_WRITTEN = (
    "status", "dispatch", "fence", "seq", "settled_at", "in_context", "cancel_requested_at",
    "cancel_reason", "cancel_by",
)  # fmt: skip
_CANCEL = Each(
    {"_id": runs.c.id} | {name: runs.c[name] for name in _WRITTEN},
    lambda value: (
        runs.update()
        .where(runs.c.id == value("_id"))
        .values({name: value(name) for name in _WRITTEN})
    ),
)


def if_started(row: AnyRow) -> bool:
    """Keep the turn in the context if an agent ever began with it."""
    return bool(row.in_context and row.claimed_at is not None)


def as_it_is(row: AnyRow) -> bool:
    """Keep the turn in the context."""
    return bool(row.in_context)


def never(_: AnyRow) -> bool:
    """Take the turn out of the context, with what its worker may still say."""
    return False


async def end_cancelled(
    transaction: Transaction,
    line: Line,
    rows: Sequence[AnyRow],
    now: Instant,
    *,
    reason: str | None,
    by: str | None,
    stays: Stays = if_started,
) -> None:
    """Flag unfinished runs of a locked line as cancelled, and end those that no worker holds.

    `stays` tells which turns later prompts still show. The first to ask is remembered.
    """
    flag = {"cancel_requested_at": now, "cancel_reason": reason, "cancel_by": by}
    in_order = sorted(rows, key=lambda row: (row.seq is None, row.seq or 0, row.id))
    await _CANCEL.execute(
        transaction,
        [
            {"_id": row.id}
            | {name: getattr(row, name) for name in _WRITTEN}
            | ({} if row.status == RunStatus.RUNNING else _ended(line, row, now))
            | ({} if row.cancel_requested_at is not None else flag)
            | {"in_context": stays(row)}
            for row in in_order
        ],
    )
    left = [row for row in in_order if row.status != RunStatus.RUNNING]
    await events.end(transaction, [(row, RunStatus.CANCELLED, None) for row in left], now)
    await notify_of_runs(transaction, [(line, row, RunStatus.CANCELLED) for row in left], now)


def _ended(line: Line, row: AnyRow, now: Instant) -> dict[str, Any]:
    line.shift(row.id, RunStatus(row.status), RunStatus.CANCELLED)
    return {
        "status": RunStatus.CANCELLED,
        "dispatch": None,
        "fence": row.fence + 1,
        "seq": line.arrive() if row.seq is None else row.seq,
        "settled_at": now,
    }
