"""Sessions on the wire."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, Field

from ingress.deps import whole
from ingress.fields import Name, Timestamp
from shared import ids
from shared.clock import SECOND, Instant, iso
from shared.domain.agent import Agent
from shared.domain.configuration import Configured, hash_of, whole_of
from shared.domain.jsontypes import JsonObject
from shared.domain.requests import NewSession
from shared.domain.session import Session, SessionStatus

ORIGIN = "atthene"
MAX_LIMIT, DEFAULT_LIMIT, MAX_OFFSET = 100, 50, 1_000_000_000

Status = Literal["active", "processing", "idle", "error"]
Health = Literal["healthy", "degraded"]

_BUSY = {SessionStatus.QUEUED, SessionStatus.RUNNING, SessionStatus.WAITING}
_ACTIVE_FOR = 30 * 60 * SECOND


class PageQuery(BaseModel):
    """Which part of a list."""

    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT), BeforeValidator(whole)] = DEFAULT_LIMIT
    offset: Annotated[int, Field(ge=0, le=MAX_OFFSET), BeforeValidator(whole)] = 0

    def more(self, returned: int, total: int) -> bool:
        """Tell whether there is more behind this part."""
        return self.offset + returned < total


class KeyQuery(BaseModel):
    """Which agent."""

    agent_key: Annotated[Name, Field(description="The agent's id or name.")]


class CreatedSession(BaseModel):
    """A session with an agent of its own."""

    success: Literal[True]
    session_id: str
    config_hash: str


class CreatedFromAgent(BaseModel):
    """A session with an agent that was there."""

    success: Literal[True]
    session_id: str
    agent_id: str
    config_hash: str


class CreatedByKey(BaseModel):
    """The same, in the words of the older route."""

    session_id: str
    agent_key: str
    created_at: Timestamp


class SessionDetail(BaseModel):
    """A session, and what answers in it: as it was sent, or what may be known of a named agent."""

    session_id: str
    config_hash: str
    created_at: Timestamp
    status: Status
    agent_config: dict[str, object]


class ListedSession(BaseModel):
    """A session in a list."""

    session_id: str
    status: Status
    created_at: Timestamp
    last_activity: Timestamp
    config_hash: str


class SessionList(BaseModel):
    """Sessions, those with the newest activity first."""

    sessions: list[ListedSession]
    total: int
    has_more: bool


class SessionState(BaseModel):
    """Where a session stands; `processing` also while messages are queued or a human is asked."""

    session_id: str
    status: Status
    message_count: int
    last_activity: Timestamp
    created_at: Timestamp
    health: Health


def status_of(session: Session, now: Instant) -> Status:
    """Say where a session stands; one that expired elsewhere is idle."""
    if session.status in _BUSY:
        return "processing"
    expired = session.expires_at is not None and session.expires_at <= now
    if expired or session.status is SessionStatus.ENDED:
        return "idle"
    if session.status is SessionStatus.ERROR:
        return "error"
    return "active" if now - session.last_activity_at <= _ACTIVE_FOR else "idle"


def new_session(correlation_id: str, agent: str | None = None) -> NewSession:
    """Ask for a session; its agent is an id in either spelling, or a name."""
    return NewSession(agent=agent, correlation_id=correlation_id, origin=ORIGIN)


def spelled(session: Session) -> str:
    return ids.spell("sess", session.id)


def from_created(session: Session) -> JsonObject:
    return {
        "success": True,
        "session_id": spelled(session),
        "config_hash": session.config_hash,
    }


def from_agent(agent: Agent | None, session: Session) -> JsonObject:
    """Print a session that was opened with this agent."""
    return {
        "success": True,
        "session_id": spelled(session),
        "agent_id": str(session.agent_id),
        "config_hash": hash_of(whole_of(agent)) if agent else "",
    }


def from_key(key: str, session: Session) -> JsonObject:
    return {
        "session_id": spelled(session),
        "agent_key": key,
        "created_at": iso(session.created_at),
    }


def from_configured(found: Configured) -> JsonObject:
    return {
        "session_id": spelled(found.session),
        "config_hash": found.hash,
        "created_at": iso(found.session.created_at),
        "status": status_of(found.session, found.now),
        "agent_config": found.config,
    }


def from_list(query: PageQuery, found: Sequence[Configured], total: int) -> JsonObject:
    return {
        "sessions": [_listed(each) for each in found],
        "total": total,
        "has_more": query.more(len(found), total),
    }


def _listed(found: Configured) -> JsonObject:
    return {
        "session_id": spelled(found.session),
        "status": status_of(found.session, found.now),
        "created_at": iso(found.session.created_at),
        "last_activity": iso(found.session.last_activity_at),
        "config_hash": found.hash,
    }


def from_state(found: Configured) -> JsonObject:
    status = status_of(found.session, found.now)
    return {
        "session_id": spelled(found.session),
        "status": status,
        "message_count": found.session.spoken_count,
        "last_activity": iso(found.session.last_activity_at),
        "created_at": iso(found.session.created_at),
        "health": "degraded" if status == "error" else "healthy",
    }
