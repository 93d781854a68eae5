"""Sessions on the wire."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query
from pydantic import BaseModel, WithJsonSchema

from ingress.dialects.powabase.wire.error import BadRequest
from ingress.dialects.powabase.wire.spelling import (
    MAX_OFFSET,
    Timestamp,
    maybe_number,
    moment,
    user,
)
from shared import ids
from shared.clock import Instant, from_datetime
from shared.domain.history import Recent, RecentFilter, RecentSession
from shared.domain.jsontypes import Json, JsonObject
from shared.domain.session import Session as DomainSession
from shared.ids import AgentId, SessionId


class Session(BaseModel):
    """A conversation; it lives until it is deleted."""

    id: str
    session_id: str
    agent_id: str | None
    user_id: str | None
    session_data: dict[str, object]
    metadata: dict[str, object]
    created_at: Timestamp
    updated_at: Timestamp


class Deleted(BaseModel):
    """What was deleted is gone with all that belonged to it."""

    success: bool
    message: str


class SessionGlance(BaseModel):
    """A session in a list; `first_message` are its first 100 characters."""

    session_id: str
    run_count: int
    last_activity_at: Timestamp
    created_at: Timestamp
    first_message: str | None


class SessionList(BaseModel):
    """Some of an agent's sessions, newest activity first, of `total`."""

    sessions: list[SessionGlance]
    total: int
    limit: int
    offset: int


class NewSessionId(BaseModel):
    """The session that was made."""

    session_id: str


def from_session(session: DomainSession) -> JsonObject:
    """Print a session."""
    return {
        "id": str(session.id),
        "session_id": ids.spell("sess", session.id),
        "agent_id": str(session.agent_id),
        "user_id": user(session.user_id),
        "session_data": {},
        "metadata": session.metadata,
        "created_at": moment(session.created_at),
        "updated_at": moment(session.updated_at),
    }


def from_recent(recent: Recent, limit: int, offset: int) -> JsonObject:
    """Print a list."""
    sessions: list[Json] = [_glance(each) for each in recent.items]
    return {"sessions": sessions, "total": recent.total, "limit": limit, "offset": offset}


def _glance(recent: RecentSession) -> JsonObject:
    return {
        "session_id": ids.spell("sess", recent.session.id),
        "run_count": recent.run_count,
        "last_activity_at": moment(recent.session.last_activity_at),
        "created_at": moment(recent.session.created_at),
        "first_message": recent.first_message,
    }


def from_new(session_id: SessionId) -> JsonObject:
    """Print what was made."""
    return {"session_id": ids.spell("sess", session_id)}


_DATE = WithJsonSchema({"type": "string", "format": "date-time"})
After = Annotated[str | None, _DATE, Query(description="Made then, or later.")]
Before = Annotated[str | None, _DATE, Query(description="Made then, or earlier.")]
_COUNT = WithJsonSchema({"type": "integer"})
Runs = Annotated[str | None, _COUNT, Query(description="Runs that it has.")]
MAX_SEARCH_CHARS = 1000  # SQLite compares with patterns of 50,000 bytes at most
Search = Annotated[
    str | None,
    Query(max_length=MAX_SEARCH_CHARS, description="A part of the first message, or the id."),
]


def filters(
    agent_id: AgentId,
    *,
    search: str | None,
    created: tuple[str | None, str | None],
    runs: tuple[str | None, str | None],
) -> RecentFilter:
    """Translate what is looked for. Raises BadRequest."""
    return RecentFilter(
        agent_id=agent_id,
        search=search or None,
        created_after=_instant("created_after", created[0]),
        created_before=_instant("created_before", created[1]),
        min_runs=_count("min_runs", runs[0]),
        max_runs=_count("max_runs", runs[1]),
    )


def _count(name: str, text: str | None) -> int | None:
    if not text:
        return None
    number = maybe_number(text)
    if number is None:
        raise BadRequest(f"{name} must be an integer", name)
    return max(-1, min(number, MAX_OFFSET))


def _instant(name: str, text: str | None) -> Instant | None:
    if not text:
        return None
    try:
        # A plus that was not encoded has become a space.
        moment = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
    except ValueError:
        raise BadRequest(f"{name} must be an ISO 8601 date", name) from None
    return from_datetime(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
