"""Agents: from the agents file and from the API."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from uuid import UUID

import structlog

from shared import ids
from shared.domain.agent import (
    Agent,
    AgentKind,
    AgentSpec,
    MadeBy,
    reads_as_an_id,
    unshared,
)
from shared.domain.errors import AgentExists, AgentFromFile, NotFound
from shared.domain.idempotency import Idempotency
from shared.domain.paging import Listing, Page
from shared.domain.principal import Principal
from shared.domain.requests import Replayed
from shared.domain.retry import RetryPolicy
from shared.ids import AgentId, new_id
from shared.service.agents_file import BadAgentsFile, read_agents
from shared.service.once import once
from shared.storage import agents as rows
from shared.storage import starts
from shared.storage.store import Store, Transaction

log = structlog.get_logger(__name__)

BUILT_IN = (
    AgentSpec(name="echo", kind=AgentKind.ECHO),
    AgentSpec(name="scripted", kind=AgentKind.SCRIPTED),
)


class Agents:
    """Who can perform a run. Agents belong to no tenant: whoever may call may talk to them."""

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
        try:
            async with self._store.transaction() as transaction:
                now = await self._store.now(transaction)
                wanted = list(specs.values())
                changed = await rows.save(transaction, wanted, self._defaults, now)
        except AgentExists as error:
            where = path or "this server's own agents"
            raise BadAgentsFile(f"{error.detail} Delete or rename it, or see {where}.") from None
        if changed:
            log.warning("agents_changed", names=changed, file=str(path) if path else None)

    async def create_once(
        self,
        principal: Principal,
        spec: AgentSpec,
        idempotency: Idempotency[Agent] | None,
        *,
        share_name: bool = False,
    ) -> Agent | Replayed:
        """Make an agent, or return what the same key was answered first.

        Raises AgentExists, unless agents may share a name: then this one is found by id alone.
        """

        async def create(transaction: Transaction) -> Agent:
            now = await self._store.now(transaction)
            agent_id = AgentId(new_id())
            own = replace(spec, name=unshared(spec.name, agent_id))
            insert = partial(rows.insert, transaction, agent_id, defaults=self._defaults, now=now)
            if share_name and reads_as_an_id(spec.name):
                return await insert(own)
            try:
                return await insert(spec)
            except AgentExists:
                if not share_name:
                    raise
            return await insert(own)

        return await once(self._store, principal, idempotency, create)

    async def change_named(self, name_or_id: str, edit: Callable[[Agent], AgentSpec]) -> Agent:
        """Change an agent like `change`, to a name that it may share."""

        def unmistakable(agent: Agent) -> AgentSpec:
            spec = edit(agent)
            return replace(spec, name=unshared(spec.name, agent.id))

        def as_it_is(agent: Agent) -> AgentSpec:
            spec = edit(agent)
            return unmistakable(agent) if reads_as_an_id(spec.name) else spec

        try:
            return await self.change(name_or_id, as_it_is)
        except AgentExists:
            return await self.change(name_or_id, unmistakable)

    async def change(self, name_or_id: str, edit: Callable[[Agent], AgentSpec]) -> Agent:
        """Change an agent to what `edit` makes of it; runs that are queued are affected, too.

        Raises NotFound("agent"), AgentFromFile, AgentExists, and what `edit` raises.
        """
        async with self._store.transaction() as transaction:
            agent = await self._own(transaction, name_or_id)
            now = await self._store.now(transaction)
            new = await rows.update(transaction, agent.id, edit(agent), self._defaults, now)
        if new.limits.runs_per_minute != agent.limits.runs_per_minute:
            # Afterwards, and in parts: there may be very many, and claims wait for the agent's row.
            while await self._store.write(lambda open_: starts.release(open_, new.id)):
                pass
        return new

    async def delete(self, name_or_id: str) -> None:
        """End an agent for new sessions; those that have it keep it.

        Raises NotFound("agent"), AgentFromFile.
        """
        async with self._store.transaction() as transaction:
            agent = await self._own(transaction, name_or_id)
            await rows.bury(transaction, agent.id, await self._store.now(transaction))

    async def _own(self, transaction: Transaction, name_or_id: str) -> Agent:
        agent = await rows.lock(transaction, name_or_id, _as_id(name_or_id))
        if agent is None:
            raise NotFound("agent")
        if agent.made_by is MadeBy.FILE:
            detail = "This agent is built in or comes from the agents file; change it there."
            raise AgentFromFile(detail)
        return agent

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

    async def of_configuration(self, agent_id: AgentId) -> Agent | None:
        """Read the agent that a session brought along; no other way leads to it."""
        async with self._store.reading() as reading:
            agent = (await rows.by_ids(reading, {agent_id})).get(agent_id)
        return agent if agent and agent.made_by is MadeBy.CONFIGURATION else None

    async def id_of(self, name_or_id: str) -> AgentId | None:
        """Say which agent is meant by whoever looks for its sessions: by id, also a deleted one."""
        if agent_id := _as_id(name_or_id):
            return AgentId(agent_id)
        agent = await self.find(name_or_id)
        return agent.id if agent else None

    async def list(self, page: Page) -> Listing[Agent]:
        """List the agents."""
        async with self._store.reading() as reading:
            return await rows.page(reading, page)

    async def part(self, *, limit: int, offset: int) -> tuple[tuple[Agent, ...], int]:
        """List the agents from an offset on, newest first, and count them all."""
        async with self._store.reading() as reading:
            return await rows.part(reading, limit=limit, offset=offset)

    async def pools(self) -> set[str]:
        """Name every pool that an agent names."""
        async with self._store.reading() as reading:
            return await rows.pool_names(reading)


def _as_id(text: str) -> UUID | None:
    try:
        return ids.parse("agent", text)
    except ValueError:
        return None
