"""What was said, and where: the parts of a history that a caller reads at a time."""

from dataclasses import dataclass

from shared.clock import Instant
from shared.domain.message import Message
from shared.domain.session import Session
from shared.ids import AgentId


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Messages between two instants, newest first, and whether there are others between them."""

    messages: tuple[Message, ...]
    has_more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Messages in order, some of `total`."""

    messages: tuple[Message, ...]
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentFilter:
    """Null means any; the bounds belong to what is asked for.

    `search` is a part of the first message, whatever the case of its letters, or the session's id.
    """

    agent_id: AgentId | None = None
    search: str | None = None
    created_after: Instant | None = None
    created_before: Instant | None = None
    min_runs: int | None = None
    max_runs: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentSession:
    """A session in a list: how often it was answered, and the beginning of its first message."""

    session: Session
    run_count: int
    first_message: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recent:
    """Sessions by their newest activity, some of `total`."""

    items: tuple[RecentSession, ...]
    total: int
