"""Rows to domain objects; the only place that knows both."""

from collections.abc import Sequence
from typing import Any

from shared.clock import Instant
from shared.domain.agent import Agent, AgentKind, AgentLimits, MadeBy
from shared.domain.jsontypes import JsonObject
from shared.domain.message import Message, Role
from shared.domain.principal import Key, Scope
from shared.domain.retry import RetryPolicy
from shared.domain.run import Approval, Attempt, Cancel, Run, RunError, RunStatus
from shared.domain.session import RunGlance, Session, Standing
from shared.domain.waiting import Ahead, Pool, Standstill, explain
from shared.ids import MessageId
from shared.storage.lifetimes import to_lifetime
from shared.storage.types import AnyRow


def to_error(stored: JsonObject | None) -> RunError | None:
    """Read an error from its JSON column."""
    return RunError(**stored) if stored else None  # type: ignore[arg-type]


def from_error(error: RunError) -> JsonObject:
    """Write an error to its JSON column."""
    return {"code": error.code, "message": error.message, "retryable": error.retryable}


def to_session(row: AnyRow) -> Session:
    """Read `sessions` joined with its agent's name as `agent`, and its pool."""
    return Session(
        **_standing(row),
        agent_id=row.agent_id,
        agent=row.agent,
        origin=row.origin,
        metadata=row.metadata,
        spoken_count=row.spoken_count,
        correlation_id=row.correlation_id,
        config_hash=row.config_hash,
        lifetime=to_lifetime(row),
        renewal_count=row.renewal_count,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def to_standing(row: AnyRow) -> Standing:
    """Read the part of `sessions` that pollers see, joined with the agent's pool."""
    return Standing(**_standing(row))


def _standing(row: AnyRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "tenant": row.tenant,
        "user_id": row.user_id,
        "pool": row.pool,
        "version": row.version,
        "message_count": row.message_count,
        "queue_depth": row.queue_depth,
        "scheduled_depth": row.scheduled_depth,
        "active_run": _glance(row.active_run_id, row.active_run_status, None),
        "last_run": _glance(row.last_run_id, row.last_run_status, row.last_run_error),
        "last_activity_at": row.last_activity_at,
        "expires_at": row.expires_at,
        "ended_at": row.ended_at,
    }


def _glance(run_id: Any, status: str | None, error: JsonObject | None) -> RunGlance | None:  # noqa: ANN401
    if run_id is None or status is None:
        return None
    return RunGlance(id=run_id, status=RunStatus(status), error=to_error(error))


def to_message(row: AnyRow) -> Message:
    """Read a row of `messages`."""
    return Message(
        id=row.id,
        session_id=row.session_id,
        seq=row.seq,
        run_id=row.run_id,
        role=Role(row.role),
        content=row.content,
        author_id=row.author_id,
        metadata=row.metadata or {},
        correlation_id=row.correlation_id,
        created_at=row.created_at,
        interrupted=row.interrupted,
        attachments=tuple(row.attachments or ()),
        tool=row.tool,
        citations=tuple(row.citations or ()),
        reasoning=row.reasoning,
    )


def to_run(
    row: AnyRow,
    *,
    now: Instant,
    message_ids: Sequence[MessageId],
    output: Message | None,
    attempts: Sequence[Attempt] = (),
    pool: Pool | None = None,
    ahead: Ahead | None = None,
) -> Run:
    """Read `runs` joined as in `shared.storage.runs`."""
    claimed_by, claimed_attempt = row.worker, row.claimed_attempt
    if claimed_attempt is None and attempts:
        claimed_by, claimed_attempt = attempts[-1].worker, attempts[-1].number
    return Run(
        id=row.id,
        session_id=row.session_id,
        agent_id=row.agent_id,
        agent=row.agent,
        model=row.model,
        pool=row.pool,
        status=RunStatus(row.status),
        seq=row.seq,
        message_ids=tuple(message_ids),
        output=output,
        error=to_error(row.error),
        attempt=row.attempt,
        max_attempts=row.max_attempts,
        usage=row.usage,
        reasoning=row.reasoning,
        correlation_id=row.correlation_id,
        retry_of=row.retry_of,
        priority=row.priority,
        origin=row.origin,
        options=row.options or {},
        event_count=row.event_count,
        cancel=_cancel(row),
        waiting_for=explain(
            to_standstill(row), now, busy_with=row.busy_with, pool=pool, ahead=ahead
        ),
        approvals=to_approvals(row.approvals),
        stored_at=row.stored_at,
        announced_at=row.announced_at,
        claimed_at=row.claimed_at,
        claimed_by=claimed_by,
        claimed_attempt=claimed_attempt,
        first_token_at=row.first_token_at,
        settled_at=row.settled_at,
        attempts=tuple(attempts),
    )


def to_standstill(row: AnyRow) -> Standstill:
    """Read what a row of `runs` says of its waiting."""
    return Standstill(
        status=row.status,
        dispatch=row.dispatch,
        cause=row.wait_cause,
        detail=row.wait_detail,
        until=row.available_at,
        held_until=row.announce_hold_until,
        attempt=row.attempt,
    )


def _cancel(row: AnyRow) -> Cancel | None:
    if row.cancel_requested_at is None:
        return None
    return Cancel(requested_at=row.cancel_requested_at, reason=row.cancel_reason, by=row.cancel_by)


def to_approvals(stored: Sequence[JsonObject] | None) -> tuple[Approval, ...]:
    """Read approvals from their JSON column."""
    return tuple(Approval(**approval) for approval in stored or ())  # type: ignore[arg-type]


def from_approvals(approvals: Sequence[Approval]) -> list[JsonObject]:
    """Write approvals to their JSON column."""
    return [
        {
            "call_id": approval.call_id,
            "tool": approval.tool,
            "arguments": approval.arguments,
            "approved": approval.approved,
            "reason": approval.reason,
        }
        for approval in approvals
    ]


def to_attempt(row: AnyRow) -> Attempt:
    """Read `attempts` joined with its worker's name as `worker`."""
    return Attempt(
        number=row.number,
        worker=row.worker,
        claimed_at=row.claimed_at,
        ended_at=row.ended_at,
        outcome=row.outcome,
        error=to_error(row.error),
    )


def to_agent(row: AnyRow) -> Agent:
    """Read a row of `agents`."""
    return Agent(
        id=row.id,
        name=row.name,
        kind=AgentKind(row.kind),
        pool=row.pool,
        callable=row.callable,
        model=row.model,
        system_prompt=row.system_prompt,
        settings=row.settings,
        knowledge_bases=tuple(row.knowledge_bases or ()),
        tools=tuple(row.tools or ()),
        limits=AgentLimits(
            max_running=row.max_running,
            runs_per_minute=row.runs_per_minute,
            run_timeout_seconds=row.run_timeout_seconds,
            max_steps=row.max_steps,
            max_tokens=row.max_tokens,
            max_cost=row.max_cost,
        ),
        retry=RetryPolicy(
            max_attempts=row.max_attempts,
            base_seconds=row.base_seconds,
            max_seconds=row.max_seconds,
        ),
        made_by=MadeBy(row.made_by),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def to_key(row: AnyRow) -> Key:
    """Read a row of `keys`; the hash stays in the database."""
    return Key(
        id=row.id,
        name=row.name,
        prefix=row.prefix,
        scope=Scope(row.scope),
        tenant=row.tenant,
        user_id=row.user_id,
        rate_limit=row.rate_limit,
        max_running=row.max_running,
        old_until=row.old_until,
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        revoked_at=row.revoked_at,
    )
