"""Sessions on the wire: what callers see."""

from typing import Literal

from pydantic import BaseModel

from ingress.dialects.elizaos.wire.timeout import TimeoutConfig, from_expiry
from ingress.fields import Timestamp, user_uuid
from shared.clock import iso, wall
from shared.domain.jsontypes import Json, JsonObject
from shared.domain.lifetime import Lifetime
from shared.domain.living import Census, Living, Vitals
from shared.domain.session import Session

_MILLISECOND = 1000  # an instant is microseconds


class CreatedSession(BaseModel):
    """A new conversation. Its channel, where sockets hear of it, has the same id."""

    sessionId: str
    channelId: str
    agentId: str
    userId: str
    createdAt: Timestamp
    metadata: dict[str, object]
    expiresAt: Timestamp
    timeoutConfig: TimeoutConfig


class SessionInfo(CreatedSession):
    """Where a conversation stands; `timeRemaining` is milliseconds."""

    lastActivity: Timestamp
    renewalCount: int
    timeRemaining: int
    isNearExpiration: bool


class Stats(BaseModel):
    """How many there are; an expired one is counted until it is gone."""

    totalSessions: int
    activeSessions: int
    expiredSessions: int


class SessionList(BaseModel):
    """The sessions that are alive, newest activity first: at most 1,000; `total` counts all."""

    sessions: list[SessionInfo]
    total: int
    stats: Stats


class Succeeded(BaseModel):
    """What clients unwrap."""

    success: Literal[True]


class DeletedSession(BaseModel):
    """It is gone for this contract; its messages are kept."""

    success: Literal[True]
    message: str
    data: Succeeded


class Health(BaseModel):
    """How the sessions do; `uptime` is seconds. `invalidSessions` is there if there are any."""

    status: Literal["healthy", "degraded", "unhealthy"]
    activeSessions: int
    timestamp: Timestamp
    expiringSoon: int
    uptime: float
    invalidSessions: int | None = None


def from_new(session: Session) -> JsonObject:
    """Print a session that was just created, with a policy."""
    assert session.lifetime is not None  # noqa: S101  (every session of this contract has one)
    return _common(session, session.lifetime)


def _common(session: Session, lifetime: Lifetime) -> JsonObject:
    return {
        "sessionId": str(session.id),
        "channelId": str(session.id),
        "agentId": str(session.agent_id),
        "userId": str(user_uuid(session.user_id)),
        "createdAt": iso(session.created_at),
        "metadata": session.metadata,
        "expiresAt": iso(lifetime.expires_at),
        "timeoutConfig": from_expiry(lifetime.expiry),
    }


def from_living(living: Living) -> JsonObject:
    """Print a session as it stands now."""
    session, lifetime, now = living.session, living.lifetime, living.now
    return _common(session, lifetime) | {
        "lastActivity": iso(session.last_activity_at),
        "renewalCount": lifetime.renewal_count,
        "timeRemaining": max(0, (lifetime.expires_at - now) // _MILLISECOND),
        "isNearExpiration": lifetime.ends_soon(now),
    }


def from_census(census: Census) -> JsonObject:
    """Print a list, and how many there are beyond it."""
    listed: list[Json] = [from_living(each) for each in census.sessions]
    stats: JsonObject = {
        "totalSessions": census.stored,
        "activeSessions": census.total,
        "expiredSessions": census.stored - census.total,
    }
    return {"sessions": listed, "total": census.total, "stats": stats}


def from_vitals(vitals: Vitals | None, uptime: float) -> JsonObject:
    """Print how the sessions do; null is that nobody knows."""
    body: JsonObject = {
        "status": "unhealthy" if vitals is None else _health(vitals),
        "activeSessions": vitals.active if vitals else 0,
        "timestamp": iso(wall()),
        "expiringSoon": vitals.expiring_soon if vitals else 0,
        "uptime": round(uptime, 3),
    }
    return body | ({"invalidSessions": vitals.invalid} if vitals and vitals.invalid else {})


def _health(vitals: Vitals) -> str:
    return "degraded" if vitals.invalid or vitals.late else "healthy"


def from_deleted(given: str) -> JsonObject:
    """Print that a session is gone."""
    message = f"Session {given} deleted successfully"
    return {"success": True, "message": message, "data": {"success": True}}


def channel(session: Session, lifetime: Lifetime) -> JsonObject:
    """Print what every message of a session says of it."""
    common: JsonObject = {
        "sessionId": str(session.id),
        "agentId": str(session.agent_id),
        "userId": str(user_uuid(session.user_id)),
        "timeoutConfig": from_expiry(lifetime.expiry),
    }
    return common | session.metadata | {"sessionId": str(session.id)}
