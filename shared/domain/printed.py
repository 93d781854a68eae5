"""Messages, runs and sessions as the native contract prints them: its answers and its webhooks."""

from typing import cast
from uuid import UUID

from shared import ids
from shared.clock import Instant, iso
from shared.domain.jsontypes import Json, JsonObject
from shared.domain.lifetime import Expiry
from shared.domain.message import Message, Role
from shared.domain.principal import Key
from shared.domain.run import Approval, Cancel, Run, RunError, Waiting
from shared.domain.session import Session


def from_message(
    message: Message,
    included: frozenset[str] = frozenset(),
    context: JsonObject | None = None,
) -> JsonObject:
    """Print a message; `context` is what was retrieved for it."""
    body: JsonObject = {
        "id": ids.spell("msg", message.id),
        "session_id": ids.spell("sess", message.session_id),
        "run_id": maybe_id("run", message.run_id),
        "role": message.role,
        "content": cast("Json", message.content),
        "author_id": message.author_id,
        "metadata": message.metadata,
        "correlation_id": message.correlation_id,
        "created_at": instant(message.created_at),
    }
    if message.interrupted:
        body["interrupted"] = True
    if message.tool is not None:
        body["tool"] = message.tool
    if message.role is Role.ASSISTANT:
        body["citations"] = list(message.citations)
        if "reasoning" in included:
            body["reasoning"] = message.reasoning
    if context is not None:
        body["retrieved_context"] = context
    return body


def from_run(run: Run) -> JsonObject:
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


def from_session(session: Session) -> JsonObject:
    """Print a session."""
    return {
        "id": ids.spell("sess", session.id),
        "agent": session.agent,
        "agent_id": ids.spell("agent", session.agent_id),
        "user_id": session.user_id,
        "status": session.status,
        "metadata": session.metadata,
        "version": session.version,
        "message_count": session.message_count,
        "queue_depth": session.queue_depth,
        "context": {"tokens": None, "token_budget": None, "summarized_through": None},
        "expiry": _expiry(session.expiry),
        "created_at": instant(session.created_at),
        "last_activity_at": instant(session.last_activity_at),
        "expires_at": instant(session.expires_at),
    }


def _expiry(expiry: Expiry | None) -> JsonObject | None:
    if expiry is None:
        return None
    return {
        "timeout_minutes": _number(expiry.timeout_minutes),
        "auto_renew": expiry.auto_renew,
        "max_duration_minutes": _number(expiry.max_duration_minutes),
        "warning_threshold_minutes": _number(expiry.warning_threshold_minutes),
    }


def _number(value: float | None) -> float | None:
    """Print whole minutes as such."""
    return int(value) if value is not None and value.is_integer() else value


def from_error(error: RunError | None) -> JsonObject | None:
    """Print a run's error, or null."""
    if error is None:
        return None
    return {"code": error.code, "message": error.message, "retryable": error.retryable}


def instant(value: Instant | None) -> str | None:
    """Print an instant, or null."""
    return None if value is None else iso(value)


def maybe_id(prefix: str, value: UUID | None) -> str | None:
    """Print an id, or null."""
    return None if value is None else ids.spell(prefix, value)


def _ladder(run: Run) -> JsonObject:
    return {
        "stored_at": instant(run.stored_at),
        "announced_at": instant(run.announced_at),
        "claimed_at": instant(run.claimed_at),
        "worker": run.claimed_by,
        "attempt": run.claimed_attempt,
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
    if waiting.attempt is not None:
        body["attempt"] = waiting.attempt
    if waiting.position is not None:
        body["position"] = waiting.position
    if waiting.eta_seconds is not None:
        body["eta_seconds"] = round(waiting.eta_seconds, 3)
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


def from_key(key: Key) -> JsonObject:
    """Print a key, without its secret."""
    return {
        "id": ids.spell("key", key.id),
        "name": key.name,
        "prefix": key.prefix,
        "scope": key.scope.value,
        "tenant": key.tenant,
        "user_id": key.user_id,
        "rate_limit": key.rate_limit,
        "max_running": key.max_running,
        "old_secret_until": instant(key.old_until),
        "created_at": instant(key.created_at),
        "expires_at": instant(key.expires_at),
        "last_used_at": instant(key.last_used_at),
        "revoked_at": instant(key.revoked_at),
    }
