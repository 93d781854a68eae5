"""Why a run does not run yet, in the words of the contract."""

from shared.clock import Instant
from shared.domain.run import Dispatch, RunStatus, Waiting
from shared.ids import RunId

CAUSE_APPROVAL = "approval"
CAUSE_RETRY = "retry_backoff"
CAUSE_DEFERRED = "deferred"
CAUSE_CAP = "concurrency_cap"
CAUSE_PAUSED = "paused_pool"
CAUSE_BUSY = "session_busy"
CAUSE_NOT_BEFORE = "not_before"
CAUSE_QUEUE = "queue_depth"


def explain(
    *,
    status: str,
    dispatch: str | None,
    cause: str | None,
    detail: str | None,
    until: Instant | None,
    busy_with: RunId | None,
    now: Instant,
) -> Waiting | None:
    """Say what a queued or waiting run waits for; null for any other."""
    if status == RunStatus.WAITING:
        sentence = detail or "A tool call waits for approval."
        return Waiting(cause=cause or CAUSE_APPROVAL, detail=sentence, until=until)
    if status != RunStatus.QUEUED:
        return None
    if dispatch == Dispatch.BLOCKED:
        sentence = "An older run of the session is not finished."
        return Waiting(cause=CAUSE_BUSY, detail=sentence, run_id=busy_with)
    if dispatch == Dispatch.SCHEDULED or (until is not None and until > now):
        return Waiting(
            cause=cause or CAUSE_NOT_BEFORE, detail=detail or "Not due yet.", until=until
        )
    if cause in {CAUSE_CAP, CAUSE_PAUSED}:
        return Waiting(cause=cause, detail=detail or "Held back for now.")
    return Waiting(cause=CAUSE_QUEUE, detail="Ready; waiting for a worker's free slot.")
