"""Agents and pools as rows."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.clock import Instant
from shared.domain.agent import Agent, AgentSpec, MadeBy, agent_id_of
from shared.domain.errors import AgentExists
from shared.domain.paging import Listing, Page
from shared.domain.retry import RetryPolicy
from shared.ids import AgentId
from shared.storage.keyset import paged
from shared.storage.rows import to_agent
from shared.storage.schema import agents, pools
from shared.storage.schema.registry import KNOWN
from shared.storage.store import Transaction
from shared.storage.types import AnyRow, any_of
from shared.storage.upserts import insert_into

_ALIVE = sa.text(KNOWN)
_NAMED = sa.select(agents).where(any_of(agents.c.name, "names"), _ALIVE)
_COUNT = sa.select(sa.func.count()).select_from(agents).where(_ALIVE)
_PART = (
    sa.select(agents)
    .where(_ALIVE)
    .order_by(agents.c.created_at.desc(), agents.c.id.desc())
    .limit(sa.bindparam("_limit", type_=sa.Integer))
    .offset(sa.bindparam("_offset", type_=sa.BigInteger))
)
_IDENTIFIED = sa.select(agents).where(any_of(agents.c.id, "ids"))


async def save(
    transaction: Transaction, specs: Sequence[AgentSpec], defaults: RetryPolicy, now: Instant
) -> list[str]:
    """Insert or update the file's agents by name; return the names of those that changed.

    Raises AgentExists for a name that the API has given away, or an id that is another's.
    """
    before = {row.name: row for row in await _rows(transaction, specs)}
    await _check_ids(transaction, specs)
    for spec in sorted(specs, key=lambda spec: spec.name):
        values = _values(spec, defaults) | {"updated_at": now}
        new = {"id": spec.id or agent_id_of(spec.name), "created_at": now}
        insert = insert_into(transaction, agents).values(values | new)
        await transaction.execute(
            insert.on_conflict_do_update(index_elements=["name"], index_where=_ALIVE, set_=values)
        )
    await save_pools(transaction, {spec.pool for spec in specs})
    for row in await _rows(transaction, specs):
        if row.made_by == MadeBy.API:
            raise AgentExists(f"The agent {row.name!r} was made through the API.")
    return [spec.name for spec in specs if _differs(before.get(spec.name), spec, defaults)]


async def _rows(transaction: Transaction, specs: Sequence[AgentSpec]) -> Sequence[AnyRow]:
    return (await transaction.execute(_NAMED, {"names": [spec.name for spec in specs]})).all()


async def _check_ids(transaction: Transaction, specs: Sequence[AgentSpec]) -> None:
    names = {spec.id or agent_id_of(spec.name): spec.name for spec in specs}
    for row in await transaction.execute(_IDENTIFIED, {"ids": list(names)}):
        if row.name != names[row.id] or row.deleted_at is not None:
            raise AgentExists(f"The id of the agent {names[row.id]!r} is that of {row.name!r}.")


def _differs(row: AnyRow | None, spec: AgentSpec, defaults: RetryPolicy) -> bool:
    wanted = _values(spec, defaults)
    return row is not None and any(getattr(row, name) != wanted[name] for name in wanted)


def _values(spec: AgentSpec, defaults: RetryPolicy) -> dict[str, Any]:
    return {
        "name": spec.name,
        "kind": spec.kind,
        "pool": spec.pool,
        "callable": spec.callable,
        "model": spec.model,
        "system_prompt": spec.system_prompt,
        "settings": spec.settings,
        "knowledge_bases": list(spec.knowledge_bases) or None,
        "tools": list(spec.tools) or None,
        **asdict(spec.limits),
        **asdict(spec.retry or defaults),
    }


async def insert(
    transaction: Transaction,
    agent_id: AgentId,
    spec: AgentSpec,
    defaults: RetryPolicy,
    now: Instant,
) -> Agent:
    """Write an agent of the API's. Raises AgentExists."""
    own = {"id": agent_id, "made_by": MadeBy.API, "created_at": now, "updated_at": now}
    statement = insert_into(transaction, agents).values(_values(spec, defaults) | own)
    statement = statement.on_conflict_do_nothing(index_elements=["name"], index_where=_ALIVE)
    row = (await transaction.execute(statement.returning(agents))).one_or_none()
    if row is None:
        raise AgentExists(f"There is an agent of the name {spec.name!r}.")
    await save_pools(transaction, {spec.pool})
    return to_agent(row)


async def keep(
    transaction: Transaction,
    agent_id: AgentId,
    spec: AgentSpec,
    defaults: RetryPolicy,
    now: Instant,
) -> Agent:
    """Write the agent of a configuration, unless it is there; whoever comes second waits."""
    own = {"id": agent_id, "made_by": MadeBy.CONFIGURATION, "created_at": now, "updated_at": now}
    statement = insert_into(transaction, agents).values(_values(spec, defaults) | own)
    await transaction.execute(statement.on_conflict_do_nothing(index_elements=["id"]))
    await save_pools(transaction, {spec.pool})
    return (await by_ids(transaction, {agent_id}))[agent_id]


async def lock(transaction: Transaction, name: str, agent_id: UUID | None) -> Agent | None:
    """Read an agent like `find`; nobody changes it until the transaction ends."""
    row = (await transaction.execute(_find(name, agent_id).with_for_update())).first()
    return to_agent(row) if row else None


async def update(
    transaction: Transaction,
    agent_id: AgentId,
    spec: AgentSpec,
    defaults: RetryPolicy,
    now: Instant,
) -> Agent:
    """Change an agent that is locked. Raises AgentExists if its new name is taken."""
    values = _values(spec, defaults) | {"updated_at": now}
    changed = agents.update().where(agents.c.id == agent_id).values(values).returning(agents)
    try:
        row = (await transaction.execute(changed)).one()
    except IntegrityError:
        raise AgentExists(f"There is an agent of the name {spec.name!r}.") from None
    await save_pools(transaction, {spec.pool})
    return to_agent(row)


async def bury(transaction: Transaction, agent_id: AgentId, now: Instant) -> None:
    """Put the tombstone: its name is free, and what has the agent keeps it."""
    gone = agents.update().where(agents.c.id == agent_id).values(deleted_at=now, updated_at=now)
    await transaction.execute(gone)


async def save_pools(transaction: Transaction, names: set[str]) -> None:
    """Make sure that each pool has its row, the one that announcing locks."""
    insert = insert_into(transaction, pools).on_conflict_do_nothing()
    await transaction.execute(insert, [{"name": name} for name in sorted(names)])


async def find(reading: AsyncConnection, name: str, agent_id: UUID | None) -> Agent | None:
    """Read an agent by name or, where the text reads as one, by id."""
    row = (await reading.execute(_find(name, agent_id))).first()
    return to_agent(row) if row else None


def _find(name: str, agent_id: UUID | None) -> sa.Select[Any]:
    known = agents.c.id == agent_id if agent_id else agents.c.name == name
    return sa.select(agents).where(known, _ALIVE)


async def by_ids(reading: AsyncConnection, ids: set[AgentId]) -> dict[AgentId, Agent]:
    """Read agents by id, deleted ones too."""
    return {row.id: to_agent(row) for row in await reading.execute(_IDENTIFIED, {"ids": ids})}


async def page(reading: AsyncConnection, slice_: Page) -> Listing[Agent]:
    """List agents by creation."""
    query = paged(sa.select(agents).where(_ALIVE), slice_, agents.c.created_at, agents.c.id)
    rows = (await reading.execute(query)).all()
    return slice_.cut(list(map(to_agent, rows)), lambda agent: (agent.created_at, agent.id.hex))


async def part(
    reading: AsyncConnection, *, limit: int, offset: int
) -> tuple[tuple[Agent, ...], int]:
    """List the agents from an offset on, newest first, and count them all."""
    total = (await reading.execute(_COUNT)).scalar_one()
    rows = await reading.execute(_PART, {"_limit": limit, "_offset": offset})
    return tuple(map(to_agent, rows)), total


async def pool_names(reading: AsyncConnection) -> set[str]:
    """Name every pool that an agent names; one that is deleted may still have runs."""
    return set((await reading.execute(sa.select(agents.c.pool).distinct())).scalars())
