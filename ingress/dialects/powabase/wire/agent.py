"""Agents on the wire: name, model, prompt, and all other tuning in `settings`."""

from pydantic import BaseModel

from ingress.dialects.powabase.wire.spelling import Timestamp, moment
from shared.domain.agent import Agent as DomainAgent
from shared.domain.agent import AgentKind, given_name
from shared.domain.jsontypes import Json, JsonObject


class Agent(BaseModel):
    """Whom to talk to; several may have one name.

    `system_prompt` is null and `settings` are empty for who may not change them. `settings.kind`
    is there unless it is `llm`.
    """

    id: str
    name: str
    model: str | None
    system_prompt: str | None
    settings: dict[str, object]
    created_at: Timestamp
    updated_at: Timestamp


class AgentList(BaseModel):
    """Some of the agents, newest first, of `total`."""

    agents: list[Agent]
    total: int
    limit: int
    offset: int


def from_agent(agent: DomainAgent, *, whole: bool) -> JsonObject:
    """Print an agent; who may not change it does not see into its head."""
    kind: JsonObject = {} if agent.kind is AgentKind.LLM else {"kind": agent.kind}
    return {
        "id": str(agent.id),
        "name": given_name(agent),
        "model": agent.model,
        "system_prompt": agent.system_prompt if whole else None,
        "settings": agent.settings | kind if whole else {},
        "created_at": moment(agent.created_at),
        "updated_at": moment(agent.updated_at),
    }


def from_agents(
    agents: tuple[DomainAgent, ...], total: int, *, limit: int, offset: int, whole: bool
) -> JsonObject:
    """Print a list."""
    printed: list[Json] = [from_agent(each, whole=whole) for each in agents]
    return {"agents": printed, "total": total, "limit": limit, "offset": offset}
