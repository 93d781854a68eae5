"""Messages on the wire."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from ingress.content import ContentField, to_content
from ingress.deps import MaybeInstant, to_instant
from ingress.dialects.native.wire.fields import Body, refuse_unbuilt
from ingress.dialects.native.wire.paging import OldestFirst
from ingress.fields import CorrelationId, Inputs, Metadata, Timestamp, WebUrl, json_object
from shared.domain import requests
from shared.domain.jsontypes import JsonObject
from shared.domain.message import Role
from shared.domain.principal import Principal
from shared.domain.run import OnBusy
from shared.ids import SessionId

_UNBUILT = frozenset({"knowledge_bases"})
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
    on_busy: Annotated[
        Literal["enqueue", "reject", "interrupt", "rollback", "coalesce"],
        Field(
            description="What to do about a line that is not empty: wait for it; refuse; cancel "
            "every unfinished run before it and keep its turn in the context, or take it out; "
            "join the run at the tail if that one has the same options and has not started."
        ),
    ] = "enqueue"
    priority: Annotated[
        int, Field(ge=-100, le=100, description="Higher goes first, among different sessions.")
    ] = 0
    not_before: Annotated[
        MaybeInstant,
        Field(
            description="When it takes its place in the line, at most one year ahead; until then "
            "it holds nobody up. Only with `on_busy: enqueue`."
        ),
    ] = None
    deadline: Annotated[
        MaybeInstant,
        Field(description="A run that was not started by then fails with `deadline_passed`."),
    ] = None
    reasoning: Reasoning | None = None
    knowledge_bases: list[KnowledgeBase] = Field(default_factory=list, max_length=20)
    callback_url: Annotated[
        WebUrl | None, Field(description="Where to post what becomes of the run, like a webhook.")
    ] = None

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
            priority=self.priority,
            on_busy=OnBusy(self.on_busy),
            not_before=to_instant(self.not_before),
            deadline=to_instant(self.deadline),
            options=self._options(),
            callback_url=self.callback_url,
        )

    def _options(self) -> JsonObject:
        return {} if self.reasoning is None else {"reasoning": {"effort": self.reasoning.effort}}


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
