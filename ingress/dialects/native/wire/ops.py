"""What operators see, on the wire."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from ingress.dialects.native.wire.fields import Body
from ingress.dialects.native.wire.paging import NewestFirst
from ingress.fields import Timestamp
from shared import ids
from shared.domain import operations
from shared.domain.findings import Examination as DomainExamination
from shared.domain.health import Probe
from shared.domain.jsontypes import Json, JsonObject
from shared.domain.operations import WorkerState
from shared.domain.printed import instant
from shared.domain.run import RunStatus


class Pool(BaseModel):
    """Workers that serve one queue, and what of it waits and runs."""

    name: str
    paused_at: Timestamp | None
    max_running: int | None
    ready: int
    announced: int
    running: int
    workers: int
    slots: int
    free_slots: int


class Pools(BaseModel):
    """Every pool; they are few."""

    data: list[Pool]
    next_cursor: str | None


class BoundPool(Body):
    """How many of its runs may run at once; null is no bound."""

    model_config = ConfigDict(json_schema_extra={"example": {"max_running": 50}})

    max_running: Annotated[int, Field(ge=1, le=1_000_000)] | None


class Worker(BaseModel):
    """A process that performs runs, or has."""

    id: str
    name: str
    pools: list[str]
    slots: int
    free_slots: int
    running: int
    started_at: Timestamp
    beat_at: Timestamp | None
    lost_at: Timestamp | None


class WorkersQuery(NewestFirst):
    """Which workers."""

    state: WorkerState = WorkerState.LIVE


class Unfinished(BaseModel):
    """Runs that have not ended, by status."""

    queued: int
    running: int
    waiting: int


class Backlog(BaseModel):
    """What is queued for a pool, and how old the oldest of it is."""

    pool: str
    queued: int
    oldest_seconds: float


class Crew(BaseModel):
    """The live workers together."""

    live: int
    slots: int
    free_slots: int


class Deliveries(BaseModel):
    """Callbacks that are on their way or will be tried again."""

    pending: int
    oldest_seconds: float


class Dependency(BaseModel):
    """Something it stands on."""

    state: str
    latency_ms: float | None


class Overview(BaseModel):
    """How it stands; counted at most every few seconds, `at` says when."""

    at: Timestamp
    runs: Unfinished
    backlog: list[Backlog]
    workers: Crew
    accepted_per_second: float
    deliveries: Deliveries
    database: Dependency
    broker: Dependency


class Finding(BaseModel):
    """A row that breaks an invariant."""

    invariant: int
    table: str
    id: str
    problem: str


class Size(BaseModel):
    """A table; `exact` is false where rows are guessed, and `bytes` holds its indexes, too."""

    table: str
    rows: int
    exact: bool
    bytes: int | None


class Keeping(BaseModel):
    """What goes with time; it is overdue when nobody seems to sweep."""

    kind: str
    keep_seconds: float
    oldest_at: Timestamp | None
    overdue: bool


class Examination(BaseModel):
    """What the doctor saw."""

    at: Timestamp
    healthy: bool
    findings: list[Finding]
    sizes: list[Size]
    retention: list[Keeping]


def from_pool(pool: operations.Pool) -> JsonObject:
    return {
        "name": pool.name,
        "paused_at": instant(pool.paused_at),
        "max_running": pool.max_running,
        "ready": pool.ready,
        "announced": pool.announced,
        "running": pool.running,
        "workers": pool.workers,
        "slots": pool.slots,
        "free_slots": pool.free_slots,
    }


def from_worker(worker: operations.Worker) -> JsonObject:
    return {
        "id": ids.spell("worker", worker.id),
        "name": worker.name,
        "pools": list(worker.pools),
        "slots": worker.slots,
        "free_slots": worker.free_slots,
        "running": worker.running,
        "started_at": instant(worker.started_at),
        "beat_at": instant(worker.beat_at),
        "lost_at": instant(worker.lost_at),
    }


def from_overview(overview: operations.Overview) -> JsonObject:
    figures, readiness = overview.figures, overview.readiness
    backlog: list[Json] = [
        {"pool": pool, "queued": each.queued, "oldest_seconds": each.oldest_seconds}
        for pool, each in figures.backlog.items()
    ]
    unfinished = (RunStatus.QUEUED, RunStatus.RUNNING, RunStatus.WAITING)
    return {
        "at": instant(figures.at),
        "runs": {status.value: figures.runs.get(status, 0) for status in unfinished},
        "backlog": backlog,
        "workers": {
            "live": figures.crew.live,
            "slots": figures.crew.slots,
            "free_slots": figures.crew.free_slots,
        },
        "accepted_per_second": round(figures.accepted_a_minute / 60, 3),
        "deliveries": {
            "pending": figures.deliveries_pending,
            "oldest_seconds": figures.deliveries_oldest_seconds,
        },
        "database": _from_probe(readiness.database),
        "broker": _from_probe(readiness.broker),
    }


def _from_probe(probe: Probe) -> JsonObject:
    return {"state": probe.state, "latency_ms": probe.latency_ms}


def from_examination(seen: DomainExamination) -> JsonObject:
    findings: list[Json] = [
        {
            "invariant": each.invariant,
            "table": each.table,
            "id": each.spelled,
            "problem": each.problem,
        }
        for each in seen.findings
    ]
    sizes: list[Json] = [
        {"table": each.table, "rows": each.rows, "exact": each.exact, "bytes": each.bytes}
        for each in seen.sizes
    ]
    retention: list[Json] = [
        {
            "kind": each.name,
            "keep_seconds": each.seconds,
            "oldest_at": instant(each.oldest_at),
            "overdue": each.overdue(seen.at),
        }
        for each in seen.keepings
    ]
    return {
        "at": instant(seen.at),
        "healthy": not findings,
        "findings": findings,
        "sizes": sizes,
        "retention": retention,
    }
