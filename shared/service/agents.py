"""Agents: from rows and from the agents file."""

from pathlib import Path
from uuid import UUID

from shared import ids
from shared.domain.agent import Agent, AgentKind, AgentSpec
from shared.domain.errors import NotFound
from shared.domain.paging import Listing, Page
from shared.domain.retry import RetryPolicy
from shared.service.agents_file import read_agents
from shared.storage import agents as rows
from shared.storage.store import Store

BUILT_IN = (
    AgentSpec(name="echo", kind=AgentKind.ECHO),
    AgentSpec(name="scripted", kind=AgentKind.SCRIPTED),
)


class Agents:
    """Who can perform a run."""

    def __init__(self, store: Store, defaults: RetryPolicy, *, scripted: bool) -> None:
        self._store = store
        self._defaults = defaults
        self._built_in = [
            spec for spec in BUILT_IN if scripted or spec.kind is not AgentKind.SCRIPTED
        ]

    async def load(self, path: Path | None) -> None:
        """Write the built-in agents and those of the file, by name. Raises BadAgentsFile."""
        specs = {spec.name: spec for spec in self._built_in}
        specs |= {spec.name: spec for spec in (read_agents(path) if path else ())}
        async with self._store.transaction() as transaction:
            now = await self._store.now(transaction)
            await rows.save(transaction, list(specs.values()), self._defaults, now)

    async def get(self, name_or_id: str) -> Agent:
        """Read an agent by id, in either spelling, or by name. Raises NotFound("agent")."""
        agent = await self.find(name_or_id)
        if agent is None:
            raise NotFound("agent")
        return agent

    async def find(self, name_or_id: str) -> Agent | None:
        """Read an agent like `get`, or null."""
        async with self._store.reading() as reading:
            return await rows.find(reading, name_or_id, _as_id(name_or_id))

    async def list(self, page: Page) -> Listing[Agent]:
        """List the agents."""
        async with self._store.reading() as reading:
            return await rows.page(reading, page)

    async def pools(self) -> set[str]:
        """Name every pool that an agent names."""
        async with self._store.reading() as reading:
            return await rows.pool_names(reading)


def _as_id(text: str) -> UUID | None:
    try:
        return ids.parse("agent", text)
    except ValueError:
        return None
