"""What callers ask for, checked and translated; every dialect speaks to the services in these."""

from dataclasses import dataclass, field
from typing import TypeAlias

from shared.clock import Instant
from shared.domain.agent import Agent
from shared.domain.idempotency import Answer
from shared.domain.jsontypes import JsonObject
from shared.domain.lifetime import Expiry, Lifetime
from shared.domain.message import Content, Message, Role
from shared.domain.principal import Scope
from shared.domain.rates import Allowance
from shared.domain.run import OnBusy, Run, RunStatus
from shared.domain.session import SessionStatus
from shared.ids import RunId, SessionId


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSession:
    """`agent` is an id in either spelling, or a name; only who goes on from a session has none."""

    agent: str | None = None
    user_id: str | None = None
    metadata: JsonObject = field(default_factory=dict)
    correlation_id: str | None = None
    origin: str = "native"
    initial_messages: tuple[tuple[Role, Content], ...] = ()
    expiry: Expiry | None = None
    continue_from: SessionId | None = None
    config: JsonObject | None = None  # what it was made with, and its hash
    config_hash: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """A session about to be written: checked, owned, and with an id of its own."""

    id: SessionId
    tenant: str
    agent: Agent
    new: NewSession
    state: JsonObject | None = None  # of the session that goes on


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFilter:
    """Null means any; `agent` is an id in either spelling, or a name."""

    agent: str | None = None
    user_id: str | None = None
    status: SessionStatus | None = None
    correlation_id: str | None = None
    created_after: Instant | None = None
    created_before: Instant | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMessage:
    """A user's message, and the options of the run that will answer it.

    `attachments` are kept as they came; what the agent sees of them is in `content`. A message
    that must come in time (`in_time`) is refused where the session has expired. With it the
    session's state takes the variables `remembered`.
    """

    session_id: SessionId
    content: Content
    correlation_id: str
    author_id: str | None = None
    metadata: JsonObject = field(default_factory=dict)
    inputs: JsonObject = field(default_factory=dict)
    priority: int = 0
    on_busy: OnBusy = OnBusy.ENQUEUE
    not_before: Instant | None = None
    deadline: Instant | None = None
    options: JsonObject = field(default_factory=dict)  # reasoning, knowledge_bases
    callback_url: str | None = None
    attachments: tuple[JsonObject, ...] = ()
    remembered: JsonObject = field(default_factory=dict)
    in_time: bool = False
    origin: str = "native"


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The receipt: both are committed to disk.

    `cancelled_runs` made room for it; of these `told_runs` are still with a worker, who has
    to be told. `allowances` are what is left of the rates it was charged to. `lifetime` is the
    session's after it, and `renewed` whether it put the end off.
    """

    message: Message
    run: Run
    cancelled_runs: tuple[RunId, ...] = ()
    told_runs: tuple[RunId, ...] = ()
    allowances: tuple[Allowance, ...] = ()
    lifetime: Lifetime | None = None
    renewed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """The first answer to the same idempotency key; nothing was stored this time."""

    answer: Answer


Taken: TypeAlias = Accepted | Replayed


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageFilter:
    """Null means any; a null `session_id` spans the principal's sessions."""

    session_id: SessionId | None = None
    roles: frozenset[Role] | None = None
    correlation_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """Null means any; a null `session_id` spans the principal's sessions."""

    session_id: SessionId | None = None
    status: RunStatus | None = None
    agent: str | None = None
    correlation_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A human's word on one pending approval."""

    call_id: str
    approved: bool
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """A key to make; `rate_limit` is its own, and `max_running` caps its principal."""

    name: str
    scope: Scope
    tenant: str
    user_id: str | None = None
    expires_at: Instant | None = None
    rate_limit: str | None = None
    max_running: int | None = None
