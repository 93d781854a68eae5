"""The run's life as data; terminal states, SQL guards, tests and the diagram derive from it."""

from dataclasses import dataclass, field
from enum import StrEnum

from shared.clock import Instant
from shared.domain.jsontypes import Json, JsonObject
from shared.domain.message import Message
from shared.ids import AgentId, MessageId, RunId, SessionId


class RunStatus(StrEnum):
    """Where a run stands."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class RunEvent(StrEnum):
    """What can happen to a run."""

    CLAIM = "claim"
    SUCCEED = "succeed"
    FAIL = "fail"
    CANCEL = "cancel"
    RETRY = "retry"
    DEFER = "defer"
    GIVE_BACK = "give_back"
    PAUSE = "pause"
    RESUME = "resume"
    EXPIRE = "expire"


_Q, _R, _W = RunStatus.QUEUED, RunStatus.RUNNING, RunStatus.WAITING

TRANSITIONS: dict[RunEvent, tuple[frozenset[RunStatus], RunStatus]] = {
    RunEvent.CLAIM: (frozenset({_Q}), _R),
    RunEvent.SUCCEED: (frozenset({_R}), RunStatus.SUCCEEDED),
    RunEvent.FAIL: (frozenset({_R}), RunStatus.FAILED),
    RunEvent.CANCEL: (frozenset({_Q, _R, _W}), RunStatus.CANCELLED),
    RunEvent.RETRY: (frozenset({_R}), _Q),
    RunEvent.DEFER: (frozenset({_R}), _Q),
    RunEvent.GIVE_BACK: (frozenset({_R}), _Q),
    RunEvent.PAUSE: (frozenset({_R}), _W),
    RunEvent.RESUME: (frozenset({_W}), _Q),
    RunEvent.EXPIRE: (frozenset({_Q, _W}), RunStatus.FAILED),
}

TERMINAL = frozenset(RunStatus) - {
    source for sources_, _ in TRANSITIONS.values() for source in sources_
}
LIVE = frozenset({_R, _W})


def sources(event: RunEvent) -> frozenset[RunStatus]:
    """Return the statuses `event` may find."""
    return TRANSITIONS[event][0]


def target(event: RunEvent) -> RunStatus:
    """Return the status `event` leads to."""
    return TRANSITIONS[event][1]


class Dispatch(StrEnum):
    """Where a queued run stands on its way to a worker; null once claimed or ended."""

    BLOCKED = "blocked"  # an older run of the session is unfinished
    SCHEDULED = "scheduled"  # not due: backoff, deferral, not_before
    READY = "ready"  # may be announced
    ANNOUNCED = "announced"  # the broker has confirmed it


class OnBusy(StrEnum):
    """What a new message does about a line that is not empty."""

    ENQUEUE = "enqueue"
    REJECT = "reject"
    INTERRUPT = "interrupt"
    ROLLBACK = "rollback"
    COALESCE = "coalesce"


class ErrorCode(StrEnum):
    """Why a run failed."""

    ATTEMPTS_EXHAUSTED = "attempts_exhausted"
    AGENT_ERROR = "agent_error"
    RUN_TIMEOUT = "run_timeout"
    WORKER_LOST = "worker_lost"
    DEFERRED_TOO_LONG = "deferred_too_long"
    DEADLINE_PASSED = "deadline_passed"
    APPROVAL_EXPIRED = "approval_expired"
    CONTENT_POLICY = "content_policy"
    BUDGET_EXCEEDED = "budget_exceeded"
    AGENT_KIND_UNAVAILABLE = "agent_kind_unavailable"
    INTERNAL_ERROR = "internal_error"


MAX_LOSSES = 5  # the run ends `failed: worker_lost`
SUSPECT_LOSSES = 2  # from here on at most one such run is live per worker


@dataclass(frozen=True, slots=True, kw_only=True)
class RunError:
    """What went wrong: `code` is an ErrorCode, or an agent's own word."""

    code: str
    message: str
    retryable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """A request to stop: a flag, written under the session's lock."""

    requested_at: Instant
    reason: str | None
    by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try at a run that has ended."""

    number: int
    worker: str | None
    claimed_at: Instant
    ended_at: Instant
    outcome: str
    error: RunError | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """A tool call that a human has to allow; `approved` is null until somebody decided."""

    call_id: str
    tool: str
    arguments: Json
    approved: bool | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Why a run is not running: a cause of the contract, a sentence, and what else is known.

    `position` is how many runs are before it; `eta_seconds`, when it is expected to start;
    `run_id`, whom it is behind; `attempt`, which one failed.
    """

    cause: str
    detail: str
    until: Instant | None = None
    run_id: RunId | None = None
    attempt: int | None = None
    position: int | None = None
    eta_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One request to an agent, as readers see it."""

    id: RunId
    session_id: SessionId
    agent_id: AgentId
    agent: str
    model: str | None = None  # that the agent names now
    pool: str
    status: RunStatus
    seq: int | None
    message_ids: tuple[MessageId, ...]
    output: Message | None = None
    error: RunError | None = None
    attempt: int = 0
    max_attempts: int
    usage: JsonObject | None = None
    reasoning: str | None = None
    correlation_id: str
    retry_of: RunId | None = None
    priority: int
    origin: str = "native"
    options: JsonObject = field(default_factory=dict)  # what was asked for: reasoning
    event_count: int = 0
    cancel: Cancel | None = None
    waiting_for: Waiting | None = None
    approvals: tuple[Approval, ...] = ()
    stored_at: Instant
    announced_at: Instant | None = None
    claimed_at: Instant | None = None
    claimed_by: str | None = None
    claimed_attempt: int | None = None
    first_token_at: Instant | None = None
    settled_at: Instant | None = None
    attempts: tuple[Attempt, ...] = ()
