"""What operators see and ask for."""

from dataclasses import dataclass
from enum import StrEnum

from shared.clock import Instant
from shared.domain.health import Readiness
from shared.domain.run import RunStatus
from shared.ids import SessionId, WorkerId

MOST_AT_ONCE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """A pool: what waits for it and what serves it; slots are those of its live workers."""

    name: str
    paused_at: Instant | None
    max_running: int | None
    ready: int
    announced: int
    running: int
    workers: int
    slots: int
    free_slots: int


class WorkerState(StrEnum):
    """Which workers: those that serve, those that have left or were lost."""

    LIVE = "live"
    LOST = "lost"
    ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """A process that performs runs, or has."""

    id: WorkerId
    name: str
    pools: tuple[str, ...]
    slots: int
    free_slots: int
    running: int
    started_at: Instant
    beat_at: Instant | None
    lost_at: Instant | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """The queued runs of a pool; the age of the oldest is in seconds."""

    queued: int
    oldest_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Crew:
    """The live workers together."""

    live: int
    slots: int
    free_slots: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """How it stands: unfinished runs by status, the backlog by pool, what came in a minute."""

    at: Instant
    runs: dict[RunStatus, int]
    backlog: dict[str, Backlog]
    crew: Crew
    accepted_a_minute: int
    deliveries_pending: int
    deliveries_oldest_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """How it stands, and whether what it stands on answers."""

    figures: Figures
    readiness: Readiness


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Some runs; null means any, and `agent` is an id in either spelling, or a name."""

    session_id: SessionId | None = None
    agent: str | None = None
    pool: str | None = None
    status: RunStatus | None = None
    correlation_id: str | None = None
    created_after: Instant | None = None
    created_before: Instant | None = None
    limit: int = MOST_AT_ONCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What became of a selection: how many it was done to, and whether there are others."""

    count: int
    more: bool
