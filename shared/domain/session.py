"""A session: ordered messages with an owner."""

from dataclasses import dataclass
from enum import StrEnum

from shared.clock import Instant
from shared.domain.jsontypes import JsonObject
from shared.domain.lifetime import Expiry, Lifetime
from shared.domain.run import RunError, RunStatus
from shared.ids import AgentId, RunId, SessionId


class SessionStatus(StrEnum):
    """What a poller sees first."""

    IDLE = "idle"
    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    ERROR = "error"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunGlance:
    """A run in the status body: the live one, or the last that settled."""

    id: RunId
    status: RunStatus
    error: RunError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a session stands: what pollers read, and who may. Every field is a column."""

    id: SessionId
    tenant: str
    user_id: str | None
    pool: str
    version: int
    message_count: int
    queue_depth: int
    scheduled_depth: int  # of these, not in the line yet
    active_run: RunGlance | None
    last_run: RunGlance | None
    last_activity_at: Instant
    expires_at: Instant | None
    ended_at: Instant | None

    @property
    def status(self) -> SessionStatus:
        """Ended, else the live run's, else queued if the line is not empty, else the last run's."""
        if self.ended_at is not None:
            return SessionStatus.ENDED
        if self.active_run:
            return SessionStatus(self.active_run.status.value)
        if self.queue_depth > self.scheduled_depth:
            return SessionStatus.QUEUED
        failed = self.last_run and self.last_run.status is RunStatus.FAILED
        return SessionStatus.ERROR if failed else SessionStatus.IDLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Session(Standing):
    """One row: reading it never touches history."""

    agent_id: AgentId
    agent: str
    origin: str
    metadata: JsonObject
    spoken_count: int = 0  # messages without those of tools
    correlation_id: str | None
    config_hash: str | None = None  # of the configuration it was made with
    lifetime: Lifetime | None = None  # null lives until it is deleted
    renewal_count: int = 0  # also of one that has no lifetime
    created_at: Instant
    updated_at: Instant

    @property
    def expiry(self) -> Expiry | None:
        """Its policy, if it has one."""
        return self.lifetime.expiry if self.lifetime else None
