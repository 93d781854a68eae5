"""Messages on the wire."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from ingress.deps import MaybeInstant
from ingress.dialects.native.wire.content import ContentField, to_content
from ingress.dialects.native.wire.fields import (
    Body,
    CorrelationId,
    Inputs,
    Metadata,
    Timestamp,
    json_object,
    refuse_unbuilt,
)
from ingress.dialects.native.wire.paging import OldestFirst
from shared.domain import requests
from shared.domain.message import Role
from shared.domain.principal import Principal
from shared.ids import SessionId

_UNBUILT = frozenset(
    {
        "on_busy",
        "priority",
        "not_before",
        "deadline",
        "reasoning",
        "knowledge_bases",
        "callback_url",
    }
)
Effort = Literal["minimal", "low", "medium", "high"]


class Reasoning(BaseModel):
    """How hard the agent should think."""

    model_config = ConfigDict(strict=True, extra="forbid")

    effort: Effort


class KnowledgeBase(BaseModel):
    """Where the agent should look things up."""

    model_config = ConfigDict(strict=True, extra="forbid")

    id: Annotated[str, Field(max_length=64)]
    top_k: Annotated[int, Field(ge=1, le=100)] = 5


class NewMessage(Body):
    """A user's message and the options of the run that answers it."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"content": "Hello!", "metadata": {"channel": "web"}}}
    )

    content: ContentField
    metadata: Metadata = Field(default_factory=dict)
    inputs: Inputs = Field(default_factory=dict)
    on_busy: Literal["enqueue", "reject", "interrupt", "rollback", "coalesce"] = "enqueue"
    priority: Annotated[int, Field(ge=-100, le=100)] = 0
    not_before: MaybeInstant = None
    deadline: MaybeInstant = None
    reasoning: Reasoning | None = None
    knowledge_bases: list[KnowledgeBase] = Field(default_factory=list, max_length=20)
    callback_url: Annotated[str, Field(max_length=2048)] | None = None

    def to_domain(
        self, principal: Principal, session_id: SessionId, correlation_id: str, max_chars: int
    ) -> requests.NewMessage:
        refuse_unbuilt(self, _UNBUILT)
        return requests.NewMessage(
            session_id=session_id,
            content=to_content(self.content, max_chars),
            correlation_id=correlation_id,
            author_id=principal.user_id,
            metadata=json_object(self.metadata),
            inputs=json_object(self.inputs),
        )


Include = Literal["tools", "retrieved_context", "reasoning"]
_SPOKEN = frozenset(Role) - {Role.TOOL}


class MessagesQuery(OldestFirst):
    """Which messages; `include` is a comma-separated list."""

    include: Annotated[
        str,
        Field(
            pattern=r"^((tools|retrieved_context|reasoning)(,(tools|retrieved_context|reasoning))*)?$",
            description="Any of tools, retrieved_context, reasoning, separated by commas.",
            examples=["tools,reasoning"],
        ),
    ] = ""
    correlation_id: CorrelationId | None = None

    def filters(self, session_id: SessionId | None = None) -> requests.MessageFilter:
        """Translate; without `tools` the list is what people and agents said to each other."""
        return requests.MessageFilter(
            session_id=session_id,
            roles=None if "tools" in self.included else _SPOKEN,
            correlation_id=self.correlation_id,
        )

    @property
    def included(self) -> frozenset[str]:
        """What a message shows beside what was said."""
        return frozenset(self.include.split(","))


class TracedMessages(MessagesQuery):
    """Messages of all sessions that belong to one piece of work."""

    correlation_id: CorrelationId


class Message(BaseModel):
    """One utterance."""

    id: str
    session_id: str
    run_id: str | None
    role: Role
    content: str | list[dict[str, object]]
    author_id: str | None
    metadata: dict[str, object]
    correlation_id: str | None
    created_at: Timestamp
    interrupted: bool = False
    tool: dict[str, object] | None = None
    citations: list[dict[str, object]] | None = None
    reasoning: str | None = None
    retrieved_context: dict[str, object] | None = None
