"""Runs on the wire: what readers see."""

from pydantic import BaseModel

from ingress.dialects.native.wire.message import Message
from ingress.fields import Timestamp
from shared.domain.jsontypes import Json, JsonObject
from shared.domain.printed import from_error, from_run, instant
from shared.domain.retrieval import RetrievedContext as DomainContext
from shared.domain.run import Attempt, RunStatus
from shared.domain.run import Run as DomainRun


class Failure(BaseModel):
    """What went wrong; `code` is stable."""

    code: str
    message: str
    retryable: bool


class Receipts(BaseModel):
    """The ladder a run climbs."""

    stored_at: Timestamp
    announced_at: Timestamp | None
    claimed_at: Timestamp | None
    worker: str | None
    attempt: int | None
    first_token_at: Timestamp | None
    settled_at: Timestamp | None


class WaitingFor(BaseModel):
    """Why it does not run.

    `position` is how many runs are before it, counted up to 1,000; `eta_seconds`, when it is
    expected to start, from times measured lately. Lists leave out what would cost per run.
    """

    cause: str
    detail: str
    until: Timestamp | None = None
    run_id: str | None = None
    attempt: int | None = None
    position: int | None = None
    eta_seconds: float | None = None


class CancelRequest(BaseModel):
    """Who asked for it to stop."""

    requested_at: Timestamp
    reason: str | None
    by: str | None


class PendingApproval(BaseModel):
    """A tool call that a human has to allow."""

    call_id: str
    name: str
    arguments: object
    approved: bool | None
    reason: str | None


class RunAttempt(BaseModel):
    """One try."""

    number: int
    worker: str | None
    claimed_at: Timestamp
    ended_at: Timestamp
    outcome: str
    error: Failure | None


class Run(BaseModel):
    """One request to an agent."""

    id: str
    session_id: str
    agent: str
    status: RunStatus
    message_ids: list[str]
    output: Message | None
    error: Failure | None
    attempt: int
    max_attempts: int
    usage: dict[str, object] | None
    reasoning: str | None
    correlation_id: str
    receipts: Receipts
    waiting_for: WaitingFor | None
    cancel: CancelRequest | None
    retry_of: str | None
    created_at: Timestamp
    settled_at: Timestamp | None
    approvals: list[PendingApproval] | None = None
    attempts: list[RunAttempt] | None = None


class RetrievedContext(BaseModel):
    """Every chunk as the model saw it, those left out too."""

    diagnostics: dict[str, object]
    chunks: list[dict[str, object]]


def from_whole_run(run: DomainRun) -> JsonObject:
    """Print a run with its attempts, as its own route does."""
    attempts: list[Json] = [_attempt(each) for each in run.attempts]
    return {**from_run(run), "attempts": attempts}


def from_retrieved(context: DomainContext) -> JsonObject:
    """Print what was retrieved."""
    return {"diagnostics": context.diagnostics, "chunks": list(context.chunks)}


def _attempt(attempt: Attempt) -> JsonObject:
    return {
        "number": attempt.number,
        "worker": attempt.worker,
        "claimed_at": instant(attempt.claimed_at),
        "ended_at": instant(attempt.ended_at),
        "outcome": attempt.outcome,
        "error": from_error(attempt.error),
    }
