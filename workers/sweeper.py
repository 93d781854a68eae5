"""The sweeper's loop: what is due, often; everything else, at its interval."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NoReturn, Protocol

import structlog

from shared.domain.errors import Unavailable
from workers.timing import Timing

log = structlog.get_logger(__name__)

DUE_SECONDS = 0.5


class Upkeep(Protocol):
    """The two chores; both may be done by any number of sweepers."""

    async def due(self) -> None:
        """Make due runs ready."""

    async def sweep(self) -> None:
        """Observe beats, bury, announce again, expire, tidy up."""


async def keep_sweeping(
    upkeep: Upkeep, *, sweep_seconds: float, timing: Timing | None = None
) -> None:
    """Do both chores until cancelled; the next round makes up for one that failed."""
    timing = timing or Timing()
    async with asyncio.TaskGroup() as chores:
        chores.create_task(_repeat(upkeep.due, DUE_SECONDS, timing))
        chores.create_task(_repeat(upkeep.sweep, sweep_seconds, timing))


async def _repeat(chore: Callable[[], Awaitable[None]], seconds: float, timing: Timing) -> NoReturn:
    while True:
        began = timing.monotonic()
        try:
            await chore()
        except Unavailable as error:
            log.warning("database_away", error=str(error))
        except Exception:
            log.exception("sweep_failed")  # a defect in one chore must not end all the others
        await timing.sleep(max(0.0, seconds - (timing.monotonic() - began)))
