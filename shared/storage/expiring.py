"""Runs whose time is up: they fail where they stand, without a worker."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from shared.clock import Instant
from shared.domain.run import ErrorCode, RunError, RunEvent, RunStatus, target
from shared.storage import events
from shared.storage.each import Each
from shared.storage.lines import Line
from shared.storage.notices import notify_of_runs
from shared.storage.rows import from_error
from shared.storage.schema import run_details, runs
from shared.storage.store import Transaction
from shared.storage.types import AnyRow
from shared.storage.upserts import insert_into

DEADLINE_PASSED = RunError(
    code=ErrorCode.DEADLINE_PASSED, message="Its deadline passed before a worker could start it."
)
APPROVAL_EXPIRED = RunError(code=ErrorCode.APPROVAL_EXPIRED, message="Nobody decided in time.")

_WRITTEN = ("status", "dispatch", "fence", "seq", "settled_at")
_FAIL = Each(
    {"_id": runs.c.id} | {name: runs.c[name] for name in _WRITTEN},
    lambda value: (
        runs.update()
        .where(runs.c.id == value("_id"))
        .values({name: value(name) for name in _WRITTEN})
    ),
)


def is_late(row: AnyRow, now: Instant) -> bool:
    """Tell whether a queued run's deadline has passed."""
    queued = row.status == RunStatus.QUEUED
    return bool(queued and row.deadline_at is not None and row.deadline_at <= now)


async def end_failed(
    transaction: Transaction,
    lines: Mapping[UUID, Line],
    rows: Sequence[AnyRow],
    now: Instant,
    error: RunError,
) -> None:
    """Fail queued or waiting runs of locked lines; for none, nothing happens."""
    if not rows:
        return
    stored = from_error(error)
    await _FAIL.execute(
        transaction, [_failed(lines[row.session_id], row, now, error) for row in rows]
    )
    insert = insert_into(transaction, run_details)
    upsert = insert.on_conflict_do_update(
        index_elements=["run_id"], set_={"error": insert.excluded.error}
    )
    await transaction.execute(upsert, [{"run_id": row.id, "error": stored} for row in rows])
    await events.end(transaction, [(row, RunStatus.FAILED, error) for row in rows], now)
    failed = [(lines[row.session_id], row, RunStatus.FAILED) for row in rows]
    await notify_of_runs(transaction, failed, now)


def _failed(line: Line, row: AnyRow, now: Instant, error: RunError) -> dict[str, Any]:
    status = target(RunEvent.EXPIRE)
    line.shift(row.id, RunStatus(row.status), status, from_error(error))
    return {
        "_id": row.id,
        "status": status,
        "dispatch": None,
        "fence": row.fence + 1,
        "seq": line.arrive() if row.seq is None else row.seq,
        "settled_at": now,
    }
