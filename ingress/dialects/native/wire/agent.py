"""Agents on the wire."""

from pydantic import BaseModel

from ingress.dialects.native.wire.fields import Timestamp
from shared import ids
from shared.domain.agent import Agent as DomainAgent
from shared.domain.agent import AgentKind
from shared.domain.jsontypes import JsonObject
from shared.domain.printed import instant


class Limits(BaseModel):
    """Bounds of its runs; null means none of its own."""

    max_running: int | None
    run_timeout_seconds: float | None


class Retry(BaseModel):
    """Its patience."""

    max_attempts: int
    base_seconds: float
    max_seconds: float


class Agent(BaseModel):
    """Configuration or code that can perform a run."""

    id: str
    name: str
    kind: AgentKind
    pool: str
    settings: dict[str, object]
    limits: Limits
    retry: Retry
    created_at: Timestamp


def from_agent(agent: DomainAgent) -> JsonObject:
    """Print an agent; where its code lives stays on the server."""
    limits, retry = agent.limits, agent.retry
    return {
        "id": ids.spell("agent", agent.id),
        "name": agent.name,
        "kind": agent.kind,
        "pool": agent.pool,
        "settings": agent.settings,
        "limits": {
            "max_running": limits.max_running,
            "run_timeout_seconds": limits.run_timeout_seconds,
        },
        "retry": {
            "max_attempts": retry.max_attempts,
            "base_seconds": retry.base_seconds,
            "max_seconds": retry.max_seconds,
        },
        "created_at": instant(agent.created_at),
    }
