"""Agents on the wire: making and changing one."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from ingress.dialects.native.wire.agent import limits_of, retry_of
from ingress.dialects.native.wire.fields import Body
from ingress.dialects.native.wire.message import KnowledgeBase
from ingress.fields import Inputs, Name, json_object
from ingress.parameters import validation_failed
from shared.domain.agent import (
    DEFAULT_POOL,
    MAX_PROMPT_CHARS,
    MAX_RUNNING,
    MAX_RUNS_PER_MINUTE,
    MAX_STEPS,
    MAX_TOKENS,
    AgentKind,
    AgentLimits,
    AgentSpec,
    reads_as_an_id,
)
from shared.domain.agent import Agent as DomainAgent
from shared.domain.errors import ValidationFailed
from shared.domain.jsontypes import JsonObject
from shared.domain.merging import merge_patch
from shared.domain.retry import RetryPolicy

_DAY = 86_400
_PATIENCE = RetryPolicy()

# An agent of kind `python` is code on the server: only the agents file names it.
Kind = Literal["echo", "scripted", "llm", "librarian"]
Pool = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Prompt = Annotated[str, StringConstraints(max_length=MAX_PROMPT_CHARS)]
Attempts = Annotated[int, Field(ge=1, le=100)]
Seconds = Annotated[float, Field(ge=0, le=_DAY)]


class Part(BaseModel):
    """A part of an agent."""

    model_config = ConfigDict(strict=True, extra="forbid")


class NewTool(Part):
    """A tool that the agent may call."""

    name: Name
    settings: Inputs = Field(default_factory=dict)


class NewLimits(Part):
    """Bounds of its runs; null means none of its own."""

    max_running: Annotated[int, Field(ge=1, le=MAX_RUNNING)] | None = None
    runs_per_minute: Annotated[int, Field(ge=1, le=MAX_RUNS_PER_MINUTE)] | None = None
    run_timeout_seconds: Annotated[float, Field(gt=0, le=_DAY)] | None = None
    max_steps: Annotated[int, Field(ge=1, le=MAX_STEPS)] | None = None
    max_tokens: Annotated[int, Field(ge=1, le=MAX_TOKENS)] | None = None
    max_cost: Annotated[float, Field(ge=0, le=1_000_000)] | None = None


class NewRetry(Part):
    """Its patience, in seconds."""

    max_attempts: Attempts = _PATIENCE.max_attempts
    base_seconds: Seconds = _PATIENCE.base_seconds
    max_seconds: Seconds = _PATIENCE.max_seconds


class RetryPatch(Part):
    """Its patience; null takes the default."""

    max_attempts: Attempts | None = None
    base_seconds: Seconds | None = None
    max_seconds: Seconds | None = None


class NewAgent(Body):
    """An agent to make."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"name": "parrot", "kind": "echo", "limits": {"max_running": 5}}
        }
    )

    name: Name
    kind: Kind
    pool: Pool = DEFAULT_POOL
    model: Name | None = None
    system_prompt: Prompt | None = None
    settings: Inputs = Field(default_factory=dict)
    knowledge_bases: list[KnowledgeBase] = Field(default_factory=list, max_length=20)
    tools: list[NewTool] = Field(default_factory=list, max_length=100)
    limits: NewLimits = NewLimits()
    retry: NewRetry | None = None

    def to_domain(self) -> AgentSpec:
        if reads_as_an_id(self.name):
            raise ValidationFailed.of(("body", "name"), "reads as an id")
        return AgentSpec(
            name=self.name,
            kind=AgentKind(self.kind),
            pool=self.pool,
            model=self.model,
            system_prompt=self.system_prompt,
            settings=json_object(self.settings),
            knowledge_bases=tuple(each.model_dump() for each in self.knowledge_bases),
            tools=tuple(each.model_dump() for each in self.tools),
            limits=AgentLimits(**self.limits.model_dump()),
            retry=RetryPolicy(**self.retry.model_dump()) if self.retry else None,
        )


class AgentPatch(Body):
    """A merge patch (RFC 7396): what is left out stays, null takes the default."""

    model_config = ConfigDict(json_schema_extra={"example": {"limits": {"max_running": None}}})

    name: Name | None = None
    kind: Kind | None = None
    pool: Pool | None = None
    model: Name | None = None
    system_prompt: Prompt | None = None
    settings: Inputs | None = None
    knowledge_bases: Annotated[list[KnowledgeBase], Field(max_length=20)] | None = None
    tools: Annotated[list[NewTool], Field(max_length=100)] | None = None
    limits: NewLimits | None = None
    retry: RetryPatch | None = None

    def merged(self, agent: DomainAgent) -> AgentSpec:
        """Return what the agent becomes. Raises ValidationFailed."""
        patch = self.model_dump(exclude_unset=True, exclude={"correlation_id"})
        try:
            return NewAgent.model_validate(merge_patch(_whole(agent), patch)).to_domain()
        except ValidationError as error:
            raise validation_failed(error, ("body",)) from None


def _whole(agent: DomainAgent) -> JsonObject:
    return {
        "name": agent.name,
        "kind": agent.kind,
        "pool": agent.pool,
        "model": agent.model,
        "system_prompt": agent.system_prompt,
        "settings": agent.settings,
        "knowledge_bases": list(agent.knowledge_bases),
        "tools": list(agent.tools),
        "limits": limits_of(agent),
        "retry": retry_of(agent),
    }
