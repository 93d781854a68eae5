"""What an agent is, what it is given, and how it says that it cannot answer.

Agents know nothing of SQL, the broker or Dramatiq: all they meet is an `AgentContext`.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from shared import clock
from shared.domain.jsontypes import JsonObject
from shared.domain.message import Content, Message, Reply
from shared.domain.run import Approval
from shared.ids import RunId, SessionId


class NonRetryable(Exception):
    """The run fails at once, with this code and sentence: trying again would not help."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Defer(Exception):
    """Not now: the run comes back after `seconds`, and this attempt costs nothing."""

    def __init__(self, seconds: float, why: str) -> None:
        super().__init__(why)
        self.seconds = seconds
        self.why = why


class Pause(Exception):
    """A human has to decide on `approvals` first; on resume the run is performed again."""

    def __init__(self, approvals: tuple[Approval, ...]) -> None:
        super().__init__(", ".join(approval.tool for approval in approvals))
        self.approvals = approvals


class Progress:
    """What an attempt has said so far; written by the agent, read by the attempt, any thread."""

    def __init__(self, monotonic: Callable[[], float] = clock.monotonic) -> None:
        self.stopped = threading.Event()
        self.first_at: float | None = None
        self._monotonic = monotonic
        self._pieces: list[str] = []

    @property
    def text(self) -> str:
        """Everything emitted, joined."""
        return "".join(self._pieces)

    def say(self, piece: str) -> None:
        """Take a piece of the answer; once stopped, nobody listens."""
        if not isinstance(piece, str):
            message = f"an agent emits text, not {type(piece).__name__}"
            raise TypeError(message)
        if self.stopped.is_set() or not piece:
            return
        if self.first_at is None:
            self.first_at = self._monotonic()
        self._pieces.append(piece)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentContext:
    """One attempt at a run, as its agent sees it.

    `content` is what the user said; `messages` the conversation so far, that included.
    `settings` are the agent's own, `inputs` and `metadata` came with the message.
    """

    content: Content
    messages: tuple[Message, ...]
    inputs: JsonObject
    metadata: JsonObject
    settings: JsonObject
    session_id: SessionId
    run_id: RunId
    user_id: str | None
    correlation_id: str
    attempt: int
    deadline: float  # on this process's monotonic clock
    reasoning_effort: str | None = None  # as the message asked for it
    approvals: tuple[Approval, ...] = ()
    progress: Progress = field(default_factory=Progress)
    monotonic: Callable[[], float] = clock.monotonic

    def remaining(self) -> float:
        """Return the seconds left before this attempt times out, or the run's deadline passes."""
        return max(0.0, self.deadline - self.monotonic())

    @property
    def cancelled(self) -> bool:
        """Whether this attempt is over: a sync agent looks now and then, and returns."""
        return self.progress.stopped.is_set()

    def emit(self, text: str) -> None:
        """Show a piece of the answer while the rest is still being made."""
        self.progress.say(text)


class Agent(Protocol):
    """Whatever performs a run: one kind, one file."""

    async def run(self, ctx: AgentContext) -> Reply:
        """Answer; runs on the agents' loop, and ends only when nothing of it runs any more."""
