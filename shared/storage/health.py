"""Figures about the database for gauges and probes."""

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.clock import SECOND, Instant
from shared.domain.run import RunStatus
from shared.storage.schema import pools, runs

_DEPTHS = (
    sa.select(runs.c.pool, sa.func.count(), sa.func.min(runs.c.stored_at))
    .where(runs.c.status == sa.literal_column(f"'{RunStatus.QUEUED}'"))
    .group_by(runs.c.pool)
)
_STATES = (
    sa.select(runs.c.status, sa.func.count())
    .where(runs.c.settled_at.is_(None))
    .group_by(runs.c.status)
)


async def ping(reading: AsyncConnection) -> None:
    """Ask the database anything."""
    await reading.execute(sa.text("SELECT 1"))


async def depths(reading: AsyncConnection, now: Instant) -> dict[str, tuple[int, float]]:
    """Return depth and oldest age in seconds of each pool, empty ones too."""
    names = (await reading.execute(sa.select(pools.c.name))).scalars()
    found: dict[str, tuple[int, float]] = dict.fromkeys(names, (0, 0.0))
    for pool, depth, oldest in await reading.execute(_DEPTHS):
        found[pool] = (depth, max(0.0, (now - oldest) / SECOND))
    return found


async def states(reading: AsyncConnection) -> dict[str, int]:
    """Count the unfinished runs by status."""
    return dict((await reading.execute(_STATES)).all())
