"""`inturn sweeper`: notice the dead, the due and the lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from inturn.opened import opened
from inturn.server import bind, on_stop, run_loop
from inturn.start import distributed, start
from shared.bootstrap import Platform
from shared.settings import Settings
from workers.health import serve_health
from workers.sweeper import keep_sweeping


def sweeper() -> None:
    """Give back what dead workers held, wake what is due, announce again what was lost.

    Run one, or more to be safe: every action is compare-and-set, and every sweeper watches.
    With INTURN_METRICS_PORT it serves /healthz, /readyz and /metrics.

    For example:

        INTURN_DATABASE_URL=postgresql+asyncpg://... INTURN_BROKER_URL=amqp://... inturn sweeper
    """
    settings = start()
    distributed(settings, "sweeper")
    if settings.metrics_port:
        bind(settings.host, settings.metrics_port, "INTURN_METRICS_PORT").close()
    run_loop(_sweeper(settings))


async def _sweeper(settings: Settings) -> None:
    stopping = asyncio.Event()
    on_stop(stopping.set)
    async with (
        opened(settings) as platform,
        serve_health(platform.operations.ready, settings.host, settings.metrics_port),
        sweeping(platform),
    ):
        await stopping.wait()


@asynccontextmanager
async def sweeping(platform: Platform) -> AsyncIterator[None]:
    """Sweep beside the block."""
    seconds = platform.settings.sweep_seconds
    task = asyncio.create_task(keep_sweeping(platform.upkeep, sweep_seconds=seconds))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
