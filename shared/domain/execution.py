"""What passes between a worker and the store."""

from dataclasses import dataclass, field
from enum import StrEnum

from shared.clock import Instant
from shared.domain.agent import Agent
from shared.domain.event import Said
from shared.domain.jsontypes import JsonObject
from shared.domain.message import Message
from shared.domain.outcome import Outcome
from shared.domain.run import Approval, RunStatus
from shared.ids import AgentId, MessageId, RunId, SessionId, WorkerId


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """A ready run on its way to the broker; the mark compares `fence` and `announce_count`."""

    run_id: RunId
    pool: str
    fence: int
    announce_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewWorker:
    """A worker process that reports for work. `name` is for humans; the id is new every boot."""

    id: WorkerId
    name: str
    pools: tuple[str, ...]
    slots: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The right to perform one attempt: every write presents `(run_id, fence)`."""

    run_id: RunId
    session_id: SessionId
    agent_id: AgentId
    pool: str
    seq: int
    fence: int
    attempt: int
    max_attempts: int
    losses: int
    correlation_id: str
    stored_at: Instant
    claimed_at: Instant
    deadline_at: Instant | None = None
    event_count: int = 0


class Refusal(StrEnum):
    """Why a claim got nothing. The row says the rest; the announcement is done with."""

    NOT_CLAIMABLE = "not_claimable"  # claimed, ended, or no longer the head: nothing to do
    NOT_NOW = "not_now"  # a cap, a paused pool, a suspect: the row went back to `ready`
    WORKER_LOST = "worker_lost"  # this worker was buried: it must exit


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """All that an attempt needs to know. `context` ends before `messages`, the run's own."""

    agent: Agent
    context: tuple[Message, ...]
    messages: tuple[Message, ...]
    inputs: JsonObject = field(default_factory=dict)
    metadata: JsonObject = field(default_factory=dict)
    user_id: str | None = None
    options: JsonObject = field(default_factory=dict)
    approvals: tuple[Approval, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Append:
    """Events of a run that is being performed, presented with its fence."""

    run_id: RunId
    session_id: SessionId
    fence: int
    said: Said
    first_token_at: Instant | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """An exit from `running`, presented with its fence.

    `said` is what was not appended yet, null where nobody knows; `output_id` is the answer's
    id, which deltas have named before.
    """

    run_id: RunId
    session_id: SessionId
    fence: int
    outcome: Outcome
    first_token_at: Instant | None = None
    said: Said | None = None
    output_id: MessageId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What became of the run; `accepted` is false if the fence was stale and nothing written."""

    run_id: RunId
    accepted: bool
    status: RunStatus | None = None
    pool: str | None = None
    seconds: float = 0.0  # from claim to exit
    notified: bool = False  # somebody hears of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A run that SQL says this worker holds."""

    run_id: RunId
    session_id: SessionId
    fence: int
    cancel_requested: bool
