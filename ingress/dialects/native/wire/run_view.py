"""Runs on the wire: what readers see."""

from pydantic import BaseModel

from ingress.dialects.native.wire.fields import Timestamp, instant, maybe_id
from ingress.dialects.native.wire.message import Message, from_message
from shared import ids
from shared.domain.jsontypes import Json, JsonObject
from shared.domain.retrieval import RetrievedContext as DomainContext
from shared.domain.run import Approval, Attempt, Cancel, RunError, RunStatus, Waiting
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
    first_token_at: Timestamp | None
    settled_at: Timestamp | None


class WaitingFor(BaseModel):
    """Why it does not run."""

    cause: str
    detail: str
    until: Timestamp | None = None
    run_id: str | None = None


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


def from_run(run: DomainRun) -> JsonObject:
    """Print a run; `approvals` are there if it ever asked for any."""
    body: JsonObject = {
        "id": ids.spell("run", run.id),
        "session_id": ids.spell("sess", run.session_id),
        "agent": run.agent,
        "status": run.status,
        "message_ids": [ids.spell("msg", each) for each in run.message_ids],
        "output": None if run.output is None else from_message(run.output),
        "error": from_error(run.error),
        "attempt": run.attempt,
        "max_attempts": run.max_attempts,
        "usage": run.usage,
        "reasoning": run.reasoning,
        "correlation_id": run.correlation_id,
        "receipts": _ladder(run),
        "waiting_for": _waiting(run.waiting_for),
        "cancel": _cancel(run.cancel),
        "retry_of": maybe_id("run", run.retry_of),
        "created_at": instant(run.stored_at),
        "settled_at": instant(run.settled_at),
    }
    if run.approvals:
        body["approvals"] = [_approval(each) for each in run.approvals]
    return body


def from_whole_run(run: DomainRun) -> JsonObject:
    """Print a run with its attempts, as its own route does."""
    attempts: list[Json] = [_attempt(each) for each in run.attempts]
    return {**from_run(run), "attempts": attempts}


def from_retrieved(context: DomainContext) -> JsonObject:
    """Print what was retrieved."""
    return {"diagnostics": context.diagnostics, "chunks": list(context.chunks)}


def from_error(error: RunError | None) -> JsonObject | None:
    """Print a run's error, or null."""
    if error is None:
        return None
    return {"code": error.code, "message": error.message, "retryable": error.retryable}


def _ladder(run: DomainRun) -> JsonObject:
    return {
        "stored_at": instant(run.stored_at),
        "announced_at": instant(run.announced_at),
        "claimed_at": instant(run.claimed_at),
        "first_token_at": instant(run.first_token_at),
        "settled_at": instant(run.settled_at),
    }


def _waiting(waiting: Waiting | None) -> JsonObject | None:
    if waiting is None:
        return None
    body: JsonObject = {"cause": waiting.cause, "detail": waiting.detail}
    if waiting.until is not None:
        body["until"] = instant(waiting.until)
    if waiting.run_id is not None:
        body["run_id"] = ids.spell("run", waiting.run_id)
    return body


def _cancel(cancel: Cancel | None) -> JsonObject | None:
    if cancel is None:
        return None
    return {
        "requested_at": instant(cancel.requested_at),
        "reason": cancel.reason,
        "by": cancel.by,
    }


def _approval(approval: Approval) -> JsonObject:
    return {
        "call_id": approval.call_id,
        "name": approval.tool,
        "arguments": approval.arguments,
        "approved": approval.approved,
        "reason": approval.reason,
    }


def _attempt(attempt: Attempt) -> JsonObject:
    return {
        "number": attempt.number,
        "worker": attempt.worker,
        "claimed_at": instant(attempt.claimed_at),
        "ended_at": instant(attempt.ended_at),
        "outcome": attempt.outcome,
        "error": from_error(attempt.error),
    }
