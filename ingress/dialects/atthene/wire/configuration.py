"""Configurations on the wire: an agent, or a graph of agents that is a chain.

What is not read here is kept as it came, and shown again.
"""

from typing import Annotated

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    WithJsonSchema,
)

from ingress.fields import Name, json_object
from ingress.parameters import TAG
from shared.domain.agent import MAX_PROMPT_CHARS, AgentKind, AgentSpec
from shared.domain.configuration import Configuration, Link, as_one, chain
from shared.domain.jsontypes import Json, JsonObject
from shared.domain.variables import read_variables

MAX_AGENTS, MAX_EDGES, MAX_TOOLS, MAX_KNOWLEDGE_BASES = 50, 200, 100, 20

Prompt = Annotated[str, StringConstraints(max_length=MAX_PROMPT_CHARS)]
Variables = Annotated[
    object,
    WithJsonSchema(
        {
            "description": "What messages give as `inputs`: a list of `{name, type, scope, "
            "required, default}`, or an object of these by name. A variable of scope `session` "
            "(the default) is given once and then kept, one of scope `request` every time. Types: "
            "string, number, integer, bool, array, object.",
            "examples": [[{"name": "customer", "type": "string", "required": True}]],
        }
    ),
]


def _called(field: str) -> BeforeValidator:
    """Take a bare name for an object that has no more."""
    return BeforeValidator(lambda value: {field: value} if isinstance(value, str) else value)


class Open(BaseModel):
    """A part that may hold more than is read."""

    model_config = ConfigDict(strict=True, extra="allow")

    @property
    def rest(self) -> JsonObject:
        return json_object(dict(self.model_extra or {}))


class LlmConfig(Open):
    """Which model, and how it is to answer."""

    model: Name | None = None


class PromptConfig(Open):
    """What the agent is told first."""

    system_prompt: Prompt | None = None


class Tool(Open):
    """A tool that the agent may call; its name alone will do."""

    name: Name


class KnowledgeBase(Open):
    """Where the agent looks things up; its id alone will do."""

    id: Annotated[str, Field(min_length=1, max_length=64)]
    top_k: Annotated[int, Field(ge=1, le=100)] = 5


class SingleAgent(Open):
    """An agent. One of the type `echo` or `scripted` needs no model."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "name": "Support",
                "agent_type": "echo",
                "system_prompt": "You are kind.",
                "llm_config": {"model": "small", "temperature": 0.2},
                "tools": [],
            }
        }
    )

    name: Name
    agent_type: Name | None = None
    system_prompt: Prompt | None = None
    prompt_config: PromptConfig | None = None
    llm_config: LlmConfig | None = None
    tools: Annotated[list[Annotated[Tool, _called("name")]] | None, Field(max_length=MAX_TOOLS)] = (
        None
    )
    knowledge_bases: Annotated[
        list[Annotated[KnowledgeBase, _called("id")]] | None,
        Field(max_length=MAX_KNOWLEDGE_BASES),
    ] = None
    variables: Variables = None

    def to_spec(self) -> AgentSpec:
        prompted, llm = self.prompt_config or PromptConfig(), self.llm_config or LlmConfig()
        return AgentSpec(
            name=self.name,
            kind=_KINDS.get(self.agent_type or "", AgentKind.LLM),
            model=llm.model,
            system_prompt=prompted.system_prompt or self.system_prompt,
            settings=llm.rest,
            knowledge_bases=tuple(
                {"id": each.id, "top_k": each.top_k} for each in self.knowledge_bases or ()
            ),
            tools=tuple({"name": each.name, "settings": each.rest} for each in self.tools or ()),
        )


class Edge(BaseModel):
    """Who hears what another says; conditions are refused, for all edges are followed."""

    model_config = ConfigDict(strict=True, extra="forbid")

    source: Annotated[Name, Field(alias="from")]
    target: Annotated[Name, Field(alias="to")]


class AgentGraph(Open):
    """Agents in a chain: from the entry point along the edges, each told what the last one said."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "name": "Desk",
                "agents": [
                    {"name": "triage", "agent_type": "llm_agent"},
                    {"name": "writer", "agent_type": "llm_agent"},
                ],
                "edges": [{"from": "triage", "to": "writer"}],
                "entry_point": "triage",
            }
        }
    )

    name: Name
    agents: Annotated[list[SingleAgent], Field(min_length=1, max_length=MAX_AGENTS)]
    edges: Annotated[list[Edge] | None, Field(max_length=MAX_EDGES)] = None
    entry_point: Name | None = None
    variables: Variables = None

    def to_spec(self) -> AgentSpec:
        links = [Link(source=each.source, target=each.target) for each in self.edges or ()]
        named = {each.name: each for each in self.agents}
        order = chain([each.name for each in self.agents], links, self.entry_point)
        return as_one(self.name, [named[each].to_spec() for each in order])


def _form(value: object) -> str:
    return f"{TAG}graph" if isinstance(value, dict) and "agents" in value else f"{TAG}agent"


NewConfiguration = Annotated[
    Annotated[SingleAgent, Tag(f"{TAG}agent")] | Annotated[AgentGraph, Tag(f"{TAG}graph")],
    Discriminator(_form),
]

_KINDS = {each.value: each for each in (AgentKind.ECHO, AgentKind.SCRIPTED)}


def to_configuration(body: SingleAgent | AgentGraph, sent: Json) -> Configuration:
    """Translate; `sent` is the body word for word. Raises ValidationFailed."""
    read_variables(sent.get("variables") if isinstance(sent, dict) else None)
    return Configuration(config=json_object(sent), described=body.to_spec())
