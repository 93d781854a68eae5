"""Why a run does not run yet, in the words of the contract."""

from dataclasses import dataclass, replace

from shared.clock import SECOND, Instant
from shared.domain.pace import Workforce
from shared.domain.run import Dispatch, RunStatus, Waiting
from shared.ids import RunId

CAUSE_APPROVAL = "approval"
CAUSE_TOOL = "tool_outcome_unknown"
CAUSE_RETRY = "retry_backoff"
CAUSE_DEFERRED = "deferred"
CAUSE_RATE = "rate_limit"
CAUSE_CAP = "concurrency_cap"
CAUSE_PAUSED = "paused_pool"
CAUSE_NO_WORKER = "no_worker"
CAUSE_BUSY = "session_busy"
CAUSE_NOT_BEFORE = "not_before"
CAUSE_QUEUE = "queue_depth"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standstill:
    """What a run's row says of its waiting.

    `until` is when it is due; `held_until`, when a cap or a rate lets it be announced again.
    """

    status: str
    dispatch: str | None
    cause: str | None = None
    detail: str | None = None
    until: Instant | None = None
    held_until: Instant | None = None
    attempt: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """What its pool is about; unknown to who has only the run's row."""

    name: str
    paused: bool
    force: Workforce


@dataclass(frozen=True, slots=True, kw_only=True)
class Ahead:
    """Who is before it, in its session's line or in its pool.

    `rivals` are runs of other callers that take their turns in between.
    """

    runs: int
    rivals: int = 0
    live_since: Instant | None = None


def explain(
    row: Standstill,
    now: Instant,
    *,
    busy_with: RunId | None = None,
    pool: Pool | None = None,
    ahead: Ahead | None = None,
) -> Waiting | None:
    """Say what a queued or waiting run waits for; null for any other."""
    if row.status == RunStatus.WAITING:
        sentence = row.detail or "A tool call waits for approval."
        return Waiting(cause=row.cause or CAUSE_APPROVAL, detail=sentence, until=row.until)
    if row.status != RunStatus.QUEUED:
        return None
    if row.dispatch == Dispatch.BLOCKED:
        return _behind(busy_with, pool, ahead, now)
    if row.dispatch == Dispatch.SCHEDULED or (row.until is not None and row.until > now):
        return _not_due(row, now)
    return _ready(row, now, pool, ahead)


def _behind(run_id: RunId | None, pool: Pool | None, ahead: Ahead | None, now: Instant) -> Waiting:
    waiting = Waiting(
        cause=CAUSE_BUSY, detail="An older run of the session is not finished.", run_id=run_id
    )
    if ahead is None:
        return waiting
    eta = None
    if pool is not None and (seconds := pool.force.seconds) is not None:
        gone = 0.0 if ahead.live_since is None else (now - ahead.live_since) / SECOND
        eta = ahead.runs * seconds - min(max(gone, 0.0), seconds)
    return replace(waiting, position=ahead.runs, eta_seconds=eta)


def _not_due(row: Standstill, now: Instant) -> Waiting:
    return Waiting(
        cause=row.cause or CAUSE_NOT_BEFORE,
        detail=row.detail or "Not due yet.",
        until=row.until,
        attempt=row.attempt if row.cause == CAUSE_RETRY else None,
        eta_seconds=_until(row.until, now),
    )


def _ready(row: Standstill, now: Instant, pool: Pool | None, ahead: Ahead | None) -> Waiting:
    if pool.paused if pool else row.cause == CAUSE_PAUSED:
        return Waiting(cause=CAUSE_PAUSED, detail="Its pool is paused.")
    if pool is not None and not pool.force.slots:
        detail = f"No live worker serves the pool {pool.name}."
        return Waiting(cause=CAUSE_NO_WORKER, detail=detail)
    if row.cause == CAUSE_CAP:
        detail = "As many runs as are allowed at once are running."
        return Waiting(cause=CAUSE_CAP, detail=row.detail or detail)
    if row.cause == CAUSE_RATE and row.held_until is not None and row.held_until > now:
        detail = "As many runs as are allowed in this time have started."
        return Waiting(
            cause=CAUSE_RATE,
            detail=row.detail or detail,
            until=row.held_until,
            eta_seconds=_until(row.held_until, now),
        )
    waiting = Waiting(cause=CAUSE_QUEUE, detail="Ready; waiting for a worker's free slot.")
    if ahead is None:
        return waiting
    return replace(waiting, position=ahead.runs, eta_seconds=_in_turn(pool, ahead))


def _in_turn(pool: Pool | None, ahead: Ahead) -> float | None:
    """Slots come free one after the other, each once in the time of a run."""
    if pool is None or pool.force.seconds is None:
        return None
    return (ahead.runs + ahead.rivals + 1) / pool.force.slots * pool.force.seconds


def _until(instant: Instant | None, now: Instant) -> float | None:
    return None if instant is None else max(0.0, (instant - now) / SECOND)
