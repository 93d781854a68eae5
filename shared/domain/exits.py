"""What an exit from `running` does to the run: pure, so that every rule has one home."""

from dataclasses import dataclass, replace

from shared.clock import SECOND, Instant, after
from shared.domain.message import Reply
from shared.domain.outcome import (
    Cancelled,
    Deferred,
    Failed,
    GivenBack,
    Outcome,
    Paused,
    Retrying,
    Succeeded,
)
from shared.domain.run import MAX_LOSSES, Approval, ErrorCode, RunError, RunEvent, RunStatus, target
from shared.domain.waiting import CAUSE_APPROVAL, CAUSE_DEFERRED, CAUSE_RETRY

APPROVAL_SECONDS = 24 * 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The run as the lock found it."""

    attempt: int
    losses: int
    cancel_requested: bool
    wait_since: Instant | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """The run after the exit; `outcome` is the word the attempt's record keeps."""

    event: RunEvent
    attempt: int
    losses: int
    error: RunError | None = None
    attempt_error: RunError | None = None
    reply: Reply | None = None
    available_at: Instant | None = None
    wait_cause: str | None = None
    wait_detail: str | None = None
    wait_since: Instant | None = None
    approvals: tuple[Approval, ...] = ()

    @property
    def status(self) -> RunStatus:
        """Return where the run stands now."""
        return target(self.event)


def leave(standing: Standing, outcome: Outcome, *, now: Instant, max_wait_seconds: float) -> Exit:
    """Turn an outcome into an exit; a cancel that committed first always wins."""
    losses = standing.losses + _lost(outcome)
    charged = Exit(event=RunEvent.GIVE_BACK, attempt=standing.attempt, losses=losses)
    refunded = replace(charged, attempt=standing.attempt - 1)
    if standing.cancel_requested:
        return replace(charged, event=RunEvent.CANCEL, reply=text_of(outcome))
    match outcome:
        case Succeeded(reply=reply):
            return replace(charged, event=RunEvent.SUCCEED, reply=reply)
        case Cancelled(partial=partial):
            return replace(charged, event=RunEvent.CANCEL, reply=partial)
        case Failed(error=error, partial=partial):
            return replace(_failed(charged, error), reply=partial)
        case Retrying():
            return _retrying(charged, outcome, now)
        case Deferred():
            return _deferred(refunded, outcome, now, standing.wait_since, max_wait_seconds)
        case Paused():
            return _paused(refunded, outcome, now)
        case GivenBack():
            return _given_back(replace(refunded, wait_since=standing.wait_since))


def _failed(exit_: Exit, error: RunError) -> Exit:
    return replace(exit_, event=RunEvent.FAIL, error=error, attempt_error=error)


def _retrying(exit_: Exit, outcome: Retrying, now: Instant) -> Exit:
    return replace(
        exit_,
        event=RunEvent.RETRY,
        attempt_error=outcome.error,
        available_at=after(now, outcome.seconds),
        wait_cause=CAUSE_RETRY,
        wait_detail=f"Attempt {exit_.attempt} failed: {outcome.error.message}",
    )


def _deferred(
    exit_: Exit, outcome: Deferred, now: Instant, since: Instant | None, max_wait_seconds: float
) -> Exit:
    since = since or now
    if now - since > max_wait_seconds * SECOND:
        message = f"Deferred for more than {max_wait_seconds / 3600:g} hours: {outcome.why}"
        return _failed(exit_, RunError(code=ErrorCode.DEFERRED_TOO_LONG, message=message))
    return replace(
        exit_,
        event=RunEvent.DEFER,
        available_at=after(now, outcome.seconds),
        wait_cause=CAUSE_DEFERRED,
        wait_detail=outcome.why,
        wait_since=since,
    )


def _paused(exit_: Exit, outcome: Paused, now: Instant) -> Exit:
    return replace(
        exit_,
        event=RunEvent.PAUSE,
        available_at=after(now, APPROVAL_SECONDS),
        wait_cause=CAUSE_APPROVAL,
        wait_detail=_awaited(outcome.approvals),
        approvals=outcome.approvals,
    )


def _given_back(exit_: Exit) -> Exit:
    if exit_.losses < MAX_LOSSES:
        return exit_
    message = f"{exit_.losses} workers were lost while they performed this run."
    return _failed(exit_, RunError(code=ErrorCode.WORKER_LOST, message=message))


# Besides a cancel, which any exit may turn into.
_EVENTS: dict[type[Outcome], frozenset[RunEvent]] = {
    Succeeded: frozenset({RunEvent.SUCCEED}),
    Cancelled: frozenset(),
    Failed: frozenset({RunEvent.FAIL}),
    Retrying: frozenset({RunEvent.RETRY}),
    Deferred: frozenset({RunEvent.DEFER, RunEvent.FAIL}),
    Paused: frozenset({RunEvent.PAUSE}),
    GivenBack: frozenset({RunEvent.GIVE_BACK, RunEvent.FAIL}),
}


def may_end_in(outcome: Outcome, event: RunEvent) -> bool:
    """Tell whether an attempt that ended in `event` may have ended by this outcome.

    If not, somebody else ended it: its worker was taken for dead, and the run given back.
    """
    return event is RunEvent.CANCEL or event in _EVENTS[type(outcome)]


def text_of(outcome: Outcome) -> Reply | None:
    """Return the text an outcome carries, whole or partial."""
    match outcome:
        case Succeeded(reply=reply):
            return reply
        case Failed(partial=partial) | Cancelled(partial=partial):
            return partial
    return None


def _lost(outcome: Outcome) -> bool:
    return isinstance(outcome, GivenBack) and outcome.lost


def _awaited(approvals: tuple[Approval, ...]) -> str:
    pending = [approval.tool for approval in approvals if approval.approved is None]
    return f"Waiting for approval of: {', '.join(pending)}"
