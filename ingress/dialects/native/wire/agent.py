"""Agents on the wire: what readers see."""

from typing import Literal

from pydantic import BaseModel

from ingress.dialects.native.wire.message import KnowledgeBase
from ingress.fields import Timestamp
from shared import ids
from shared.domain.agent import Agent as DomainAgent
from shared.domain.agent import AgentKind, MadeBy
from shared.domain.jsontypes import JsonObject
from shared.domain.printed import instant
from shared.ids import AgentId


class Limits(BaseModel):
    """Bounds of its runs; null means none of its own."""

    max_running: int | None
    runs_per_minute: int | None
    run_timeout_seconds: float | None
    max_steps: int | None
    max_tokens: int | None
    max_cost: float | None


class Retry(BaseModel):
    """Its patience."""

    max_attempts: int
    base_seconds: float
    max_seconds: float


class UsedTool(BaseModel):
    """A tool that it may call; `settings` are for keys of scope admin."""

    name: str
    settings: dict[str, object] | None = None


class Agent(BaseModel):
    """Configuration or code that can perform a run.

    `system_prompt`, `settings` and those of its tools are shown to keys of scope admin only.
    """

    id: str
    name: str
    kind: AgentKind
    pool: str
    model: str | None
    system_prompt: str | None = None
    settings: dict[str, object] | None = None
    knowledge_bases: list[KnowledgeBase]
    tools: list[UsedTool]
    limits: Limits
    retry: Retry
    made_by: Literal[MadeBy.FILE, MadeBy.API]
    created_at: Timestamp


def from_agent(agent: DomainAgent, *, whole: bool) -> JsonObject:
    """Print an agent; where its code lives stays on the server."""
    body: JsonObject = {
        "id": ids.spell("agent", agent.id),
        "name": agent.name,
        "kind": agent.kind,
        "pool": agent.pool,
        "model": agent.model,
        "knowledge_bases": list(agent.knowledge_bases),
        "tools": [tool if whole else {"name": tool["name"]} for tool in agent.tools],
        "limits": limits_of(agent),
        "retry": retry_of(agent),
        "made_by": agent.made_by,
        "created_at": instant(agent.created_at),
    }
    if whole:
        body |= {"system_prompt": agent.system_prompt, "settings": agent.settings}
    return body


def limits_of(agent: DomainAgent) -> JsonObject:
    """Print its bounds."""
    limits = agent.limits
    return {
        "max_running": limits.max_running,
        "runs_per_minute": limits.runs_per_minute,
        "run_timeout_seconds": limits.run_timeout_seconds,
        "max_steps": limits.max_steps,
        "max_tokens": limits.max_tokens,
        "max_cost": limits.max_cost,
    }


def retry_of(agent: DomainAgent) -> JsonObject:
    """Print its patience."""
    retry = agent.retry
    return {
        "max_attempts": retry.max_attempts,
        "base_seconds": retry.base_seconds,
        "max_seconds": retry.max_seconds,
    }


def agent_location(agent_id: AgentId) -> str:
    """Where an agent is read."""
    return f"/v1/agents/{ids.spell('agent', agent_id)}"
