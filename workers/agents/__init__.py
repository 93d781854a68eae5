"""Kinds of agents: a new one is a file, a line in `KINDS` and a test."""

from collections.abc import Callable

from shared.domain.agent import Agent as Configured
from shared.domain.agent import AgentKind
from shared.domain.run import ErrorCode
from workers.agents.base import Agent, NonRetryable
from workers.agents.echo import EchoAgent
from workers.agents.python import PythonAgent
from workers.agents.scripted import ScriptedAgent

KINDS: dict[AgentKind, Callable[[Configured], Agent]] = {
    AgentKind.ECHO: lambda _: EchoAgent(),
    AgentKind.SCRIPTED: lambda _: ScriptedAgent(),
    AgentKind.PYTHON: lambda agent: PythonAgent(agent.callable or ""),
}


class Troupe:
    """The agents of one process, made when first needed: what they import stays imported."""

    def __init__(self, *, scripted: bool) -> None:
        self._scripted = scripted
        self._made: dict[tuple[AgentKind, str | None], Agent] = {}

    def find(self, agent: Configured) -> Agent:
        """Return who performs runs of `agent`.

        Raises NonRetryable (`agent_kind_unavailable`).
        """
        allowed = self._scripted or agent.kind is not AgentKind.SCRIPTED
        if agent.kind not in KINDS or not allowed:
            hint = "" if allowed else "; INTURN_SCRIPTED_AGENT=true allows it"
            raise NonRetryable(
                ErrorCode.AGENT_KIND_UNAVAILABLE,
                f"This worker cannot run agents of the kind {agent.kind.value!r}{hint}.",
            )
        key = (agent.kind, agent.callable)
        if key not in self._made:
            self._made[key] = KINDS[agent.kind](agent)
        return self._made[key]
