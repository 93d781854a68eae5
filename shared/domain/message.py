"""A message: one utterance in a session."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from shared.clock import Instant
from shared.domain.jsontypes import Json, JsonObject
from shared.ids import MessageId, RunId, SessionId

Content: TypeAlias = str | list[JsonObject]


class Role(StrEnum):
    """Who speaks."""

    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """`seq` is the only order; without one, its run is not due and it is in no list.

    `interrupted` marks what a newer message cut short, and the partial text of a cancelled run.
    """

    id: MessageId
    session_id: SessionId
    seq: int | None
    run_id: RunId | None
    role: Role
    content: Content
    author_id: str | None
    metadata: JsonObject
    correlation_id: str | None
    created_at: Instant
    interrupted: bool = False
    attachments: tuple[JsonObject, ...] = ()
    tool: JsonObject | None = None
    citations: tuple[JsonObject, ...] = ()
    reasoning: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A call that an agent made, and what came back: exactly one of `result`, `error`."""

    call_id: str
    name: str
    arguments: Json = None
    result: Json = None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What an agent answers.

    `retrieved_context` are chunks (JSON objects) as the model saw them, admitted or not;
    `usage` counts input_tokens, output_tokens, reasoning_tokens, cached_tokens, cost.
    """

    content: Content = ""
    tool_calls: tuple[ToolCall, ...] = ()
    retrieved_context: tuple[JsonObject, ...] = ()
    citations: tuple[JsonObject, ...] = ()
    usage: JsonObject | None = None
    reasoning: str | None = None


def plain_text(content: Content) -> str:
    """Flatten blocks to their text."""
    if isinstance(content, str):
        return content
    return "\n".join(str(block["text"]) for block in content if block.get("type") == "text")


def size_of(content: Content) -> int:
    """Estimate what it adds to a transaction, in characters; blocks may carry whole files."""
    if isinstance(content, str):
        return len(content)
    return sum(len(str(value)) for block in content for value in block.values())
