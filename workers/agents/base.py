"""What an agent is, what it is given, and how it says that it cannot answer.

Agents know nothing of SQL, the broker or Dramatiq: all they meet is an `AgentContext`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from shared import clock
from shared.domain.jsontypes import Json, JsonObject
from shared.domain.message import Content, Message, Reply
from shared.domain.run import Approval
from shared.ids import RunId, SessionId
from workers.agents.excuses import Defer, NonRetryable, Pause
from workers.agents.progress import Progress

__all__ = ["Agent", "AgentContext", "Defer", "NonRetryable", "Pause", "Progress"]


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

    def think(self, text: str) -> None:
        """Show a piece of the reasoning."""
        self.progress.think(text)

    def tool_called(self, call_id: str, name: str, arguments: Json = None) -> None:
        """Show that a tool is called, before it is; `call_id` is the one of the reply."""
        self.progress.call(call_id, name, arguments)

    def tool_returned(self, call_id: str, *, result: Json = None, error: str | None = None) -> None:
        """Show what a tool gave back; what is not shown is told from the reply."""
        self.progress.give(call_id, result=result, error=error)

    def retrieved(self, total: int, included: int) -> None:
        """Show how many chunks were found, and how many the model sees."""
        self.progress.retrieve(total, included)


class Agent(Protocol):
    """Whatever performs a run: one kind, one file."""

    async def run(self, ctx: AgentContext) -> Reply:
        """Answer; runs on the agents' loop, and ends only when nothing of it runs any more."""
