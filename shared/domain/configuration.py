"""A configuration: an agent that a session brings along, and keeps for life."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from typing import NoReturn
from uuid import uuid5

from shared.clock import Instant
from shared.domain.agent import Agent, AgentKind, AgentSpec
from shared.domain.errors import ValidationFailed
from shared.domain.jsontypes import Json, JsonObject
from shared.domain.session import Session
from shared.ids import NAMESPACE, AgentId

MAX_NAME = 200
_SHOWN_DIGITS = 12


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """What a caller sent, word for word, and the agent that it describes."""

    config: JsonObject
    described: AgentSpec

    @cached_property
    def hash(self) -> str:
        return hash_of(self.config)

    @property
    def agent_id(self) -> AgentId:
        """The same for the same configuration, on every machine."""
        return AgentId(uuid5(NAMESPACE, f"configuration\n{self.hash}"))

    @property
    def spec(self) -> AgentSpec:
        """The agent, by a name that says which of all with this name it is."""
        mark = f" ({self.hash[:_SHOWN_DIGITS]})"
        return replace(self.described, name=self.described.name[: MAX_NAME - len(mark)] + mark)


@dataclass(frozen=True, slots=True, kw_only=True)
class Configured:
    """A session with what answers in it; `now` is when it was read."""

    session: Session
    config: JsonObject
    hash: str
    now: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """An edge of a graph: who hears what the other says."""

    source: str
    target: str


def chain(names: Sequence[str], links: Sequence[Link], entry_point: str | None) -> list[str]:
    """Return the agents of a graph in the order in which they speak.

    Raises ValidationFailed for what is no chain of all of them, naming the agent.
    """
    for name in names:
        if names.count(name) > 1:
            _refuse("agents", f"two agents have the name {name!r}")
    for place, name in _named(links, entry_point):
        if name not in names:
            _refuse(place, f"there is no agent {name!r}")
    if entry_point is None and len(names) > 1:
        _refuse("entry_point", "is required where there is more than one agent")
    order = _walk(entry_point or names[0], links)
    for name in names:
        if name not in order:
            _refuse("edges", f"no edge leads to the agent {name!r}")
    return order


def _named(links: Sequence[Link], entry_point: str | None) -> list[tuple[str, str]]:
    ends = [("edges", end) for link in links for end in (link.source, link.target)]
    return [("entry_point", entry_point), *ends] if entry_point is not None else ends


def _walk(first: str, links: Sequence[Link]) -> list[str]:
    after: dict[str, str] = {}
    for link in links:
        if link.source in after:
            problem = f"the agent {link.source!r} leads to more than one; only chains are performed"
            _refuse("edges", problem)
        after[link.source] = link.target
    order = [first]
    while (name := after.get(order[-1])) is not None:
        if name in order:
            _refuse("edges", f"the agent {name!r} is in a cycle")
        order.append(name)
    return order


def _refuse(place: str, problem: str) -> NoReturn:
    raise ValidationFailed.of(("body", place), problem)


def as_one(name: str, agents: Sequence[AgentSpec]) -> AgentSpec:
    """Make one agent of a chain: what one says is what the next is told.

    Whoever only echoes adds nothing to a chain of the same; a script is for one alone.
    Raises ValidationFailed.
    """
    if len(agents) == 1:
        return replace(agents[0], name=name)
    for agent in agents:
        if agent.kind is AgentKind.SCRIPTED:
            _refuse("agents", f"the agent {agent.name!r} is scripted, and stands alone")
    if all(agent.kind is AgentKind.ECHO for agent in agents):
        return AgentSpec(name=name, kind=AgentKind.ECHO)
    return AgentSpec(
        name=name, kind=AgentKind.LLM, settings={"chain": [_stage(agent) for agent in agents]}
    )


def _stage(agent: AgentSpec) -> JsonObject:
    return {
        "name": agent.name,
        "kind": agent.kind.value,
        "model": agent.model,
        "system_prompt": agent.system_prompt,
        "settings": agent.settings,
        "knowledge_bases": list(agent.knowledge_bases),
        "tools": list(agent.tools),
    }


def hash_of(config: JsonObject) -> str:
    """Name a configuration: the same for the same words, in whatever order they came."""
    text = json.dumps(config, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return sha256(text.encode()).hexdigest()


def shown_of(agent: Agent) -> JsonObject:
    """Return the configuration of an agent that has a name, as everybody may read it."""
    tools: list[Json] = [tool["name"] for tool in agent.tools]
    return {
        "name": agent.name,
        "agent_type": agent.kind.value,
        "llm_config": {"model": agent.model},
        "tools": tools,
        "knowledge_bases": list(agent.knowledge_bases),
    }


def whole_of(agent: Agent) -> JsonObject:
    """Return all that decides what an agent says."""
    secret: JsonObject = {
        "callable": agent.callable,
        "system_prompt": agent.system_prompt,
        "settings": agent.settings,
        "tools": list(agent.tools),
    }
    return shown_of(agent) | secret
