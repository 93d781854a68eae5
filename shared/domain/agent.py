"""An agent: named configuration or code that can perform a run."""

from dataclasses import dataclass, field
from enum import StrEnum
from uuid import uuid5

from shared.clock import Instant
from shared.domain.jsontypes import JsonObject
from shared.domain.retry import RetryPolicy
from shared.ids import NAMESPACE, AgentId, parse, spell

DEFAULT_POOL = "default"
MAX_RUNNING, MAX_RUNS_PER_MINUTE = 1_000_000, 600_000
MAX_STEPS, MAX_TOKENS, MAX_PROMPT_CHARS = 1_000, 100_000_000, 65_536


class AgentKind(StrEnum):
    """Which code performs the run."""

    ECHO = "echo"
    SCRIPTED = "scripted"
    PYTHON = "python"
    LLM = "llm"
    LIBRARIAN = "librarian"


class MadeBy(StrEnum):
    """Who says what an agent is."""

    FILE = "file"  # the agents file, or the house: only they change it
    API = "api"
    CONFIGURATION = "configuration"  # a session brought it along: only its sessions know it


# The other kinds answer from the run's own messages; for these the earlier turns are read.
READS_HISTORY = frozenset({AgentKind.PYTHON, AgentKind.LLM, AgentKind.LIBRARIAN})


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentLimits:
    """Bounds of an agent's runs; null means none of its own."""

    max_running: int | None = None
    runs_per_minute: int | None = None
    run_timeout_seconds: float | None = None
    max_steps: int | None = None
    max_tokens: int | None = None
    max_cost: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSpec:
    """An agent as somebody configures it; a null id becomes `agent_id_of(name)`.

    `knowledge_bases` are `{id, top_k}`, `tools` are `{name, settings}`.
    """

    name: str
    kind: AgentKind
    id: AgentId | None = None
    pool: str = DEFAULT_POOL
    callable: str | None = None
    model: str | None = None
    system_prompt: str | None = None
    settings: JsonObject = field(default_factory=dict)
    knowledge_bases: tuple[JsonObject, ...] = ()
    tools: tuple[JsonObject, ...] = ()
    limits: AgentLimits = AgentLimits()
    retry: RetryPolicy | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """An agent as stored; `retry` and `limits` have the defaults filled in."""

    id: AgentId
    name: str
    kind: AgentKind
    pool: str
    callable: str | None
    model: str | None = None
    system_prompt: str | None = None
    settings: JsonObject
    knowledge_bases: tuple[JsonObject, ...] = ()
    tools: tuple[JsonObject, ...] = ()
    limits: AgentLimits
    retry: RetryPolicy
    made_by: MadeBy = MadeBy.FILE
    created_at: Instant
    updated_at: Instant


def reads_as_an_id(name: str) -> bool:
    """Tell whether a name would be taken for an agent's id, where either may stand."""
    try:
        parse("agent", name)
    except ValueError:
        return False
    return True


def unshared(name: str, agent_id: AgentId) -> str:
    """Return a name that is nobody else's, for an agent whose given name another has."""
    return f"{name}{_mark(agent_id)}"


def given_name(agent: Agent) -> str:
    """Return the name an agent was given, where others may have the same."""
    return agent.name.removesuffix(_mark(agent.id))


def _mark(agent_id: AgentId) -> str:
    return f" ({spell('agent', agent_id)})"


def agent_id_of(name: str) -> AgentId:
    """Return the stable id of a named agent: UUIDv5, the same on every machine."""
    return AgentId(uuid5(NAMESPACE, f"agent\n{name}"))
