"""Sessions on the wire: what readers see."""

from pydantic import BaseModel

from ingress.dialects.native.wire.fields import Timestamp
from ingress.dialects.native.wire.run_view import Failure
from ingress.dialects.native.wire.session_request import Expiry
from shared import ids
from shared.domain.jsontypes import JsonObject
from shared.domain.printed import from_error, instant
from shared.domain.run import RunStatus
from shared.domain.session import RunGlance, SessionStatus
from shared.domain.session import Session as DomainSession


class ContextSize(BaseModel):
    """How much of the conversation the agent sees; null until something measures it."""

    tokens: int | None
    token_budget: int | None
    summarized_through: str | None


class Session(BaseModel):
    """A conversation."""

    id: str
    agent: str
    agent_id: str
    user_id: str | None
    status: SessionStatus
    metadata: dict[str, object]
    version: int
    message_count: int
    queue_depth: int
    context: ContextSize
    expiry: Expiry | None
    created_at: Timestamp
    last_activity_at: Timestamp
    expires_at: Timestamp | None


class Glance(BaseModel):
    """A run, as far as a poller needs it."""

    id: str
    status: RunStatus
    error: Failure | None


class Status(BaseModel):
    """What a poller reads."""

    status: SessionStatus
    version: int
    queue_depth: int
    active_run: Glance | None
    last_run: Glance | None
    message_count: int
    last_activity_at: Timestamp
    expires_at: Timestamp | None


def from_status(session: DomainSession) -> JsonObject:
    """Print what a poller reads."""
    return {
        "status": session.status,
        "version": session.version,
        "queue_depth": session.queue_depth,
        "active_run": _glance(session.active_run),
        "last_run": _glance(session.last_run),
        "message_count": session.message_count,
        "last_activity_at": instant(session.last_activity_at),
        "expires_at": instant(session.expires_at),
    }


def _glance(run: RunGlance | None) -> JsonObject | None:
    if run is None:
        return None
    return {"id": ids.spell("run", run.id), "status": run.status, "error": from_error(run.error)}
