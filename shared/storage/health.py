"""Whether the database answers."""

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection


async def ping(reading: AsyncConnection) -> None:
    """Ask the database anything."""
    await reading.execute(sa.text("SELECT 1"))
