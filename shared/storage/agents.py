"""Agents and pools as rows."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.clock import Instant
from shared.domain.agent import Agent, AgentSpec, agent_id_of
from shared.domain.paging import Listing, Page
from shared.domain.retry import RetryPolicy
from shared.ids import AgentId
from shared.storage.keyset import paged
from shared.storage.rows import to_agent
from shared.storage.schema import agents, pools
from shared.storage.store import Transaction
from shared.storage.types import any_of
from shared.storage.upserts import insert_into


async def save(
    transaction: Transaction, specs: Sequence[AgentSpec], defaults: RetryPolicy, now: Instant
) -> None:
    """Insert or update agents by name, and the pools they name."""
    for spec in sorted(specs, key=lambda spec: spec.name):
        values = _values(spec, defaults) | {"updated_at": now}
        new = {"id": spec.id or agent_id_of(spec.name), "created_at": now}
        insert = insert_into(transaction, agents).values(values | new)
        await transaction.execute(
            insert.on_conflict_do_update(
                index_elements=["name"], index_where=agents.c.deleted_at.is_(None), set_=values
            )
        )
    await save_pools(transaction, {spec.pool for spec in specs})


def _values(spec: AgentSpec, defaults: RetryPolicy) -> dict[str, Any]:
    retry = spec.retry or defaults
    return {
        "name": spec.name,
        "kind": spec.kind,
        "pool": spec.pool,
        "callable": spec.callable,
        "settings": spec.settings,
        "max_running": spec.limits.max_running,
        "runs_per_minute": spec.limits.runs_per_minute,
        "run_timeout_seconds": spec.limits.run_timeout_seconds,
        "max_attempts": retry.max_attempts,
        "base_seconds": retry.base_seconds,
        "max_seconds": retry.max_seconds,
    }


async def save_pools(transaction: Transaction, names: set[str]) -> None:
    """Make sure that each pool has its row, the one that announcing locks."""
    insert = insert_into(transaction, pools).on_conflict_do_nothing()
    await transaction.execute(insert, [{"name": name} for name in sorted(names)])


async def find(reading: AsyncConnection, name: str, agent_id: UUID | None) -> Agent | None:
    """Read an agent by name or, where the text reads as one, by id."""
    known = (
        sa.or_(agents.c.name == name, agents.c.id == agent_id)
        if agent_id
        else (agents.c.name == name)
    )
    row = (await reading.execute(sa.select(agents).where(known))).first()
    return to_agent(row) if row else None


async def by_ids(reading: AsyncConnection, ids: set[AgentId]) -> dict[AgentId, Agent]:
    """Read agents by id."""
    rows = await reading.execute(sa.select(agents).where(any_of(agents.c.id, "ids")), {"ids": ids})
    return {row.id: to_agent(row) for row in rows}


async def page(reading: AsyncConnection, slice_: Page) -> Listing[Agent]:
    """List agents by creation."""
    query = paged(sa.select(agents), slice_, agents.c.created_at, agents.c.id)
    rows = (await reading.execute(query)).all()
    return slice_.cut(list(map(to_agent, rows)), lambda agent: (agent.created_at, agent.id.hex))


async def pool_names(reading: AsyncConnection) -> set[str]:
    """Name every pool that an agent names."""
    return set((await reading.execute(sa.select(agents.c.pool).distinct())).scalars())
