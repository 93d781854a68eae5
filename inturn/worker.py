"""`inturn worker`: run the agents."""

import asyncio
import os
from typing import Annotated

import typer

from inturn.opened import reach
from inturn.server import bind
from inturn.start import distributed, start
from shared.domain.agent import DEFAULT_POOL
from shared.settings import Settings
from workers.supervise import supervise

Pools = Annotated[
    list[str] | None, typer.Option("--pool", help="Pool to serve; repeat for several.")
]
Slots = Annotated[int | None, typer.Option(help="Runs at a time, in each process.  [INTURN_SLOTS]")]
Processes = Annotated[int | None, typer.Option(min=1, max=256, help="One per core if left out.")]


def worker(pool: Pools = None, slots: Slots = None, processes: Processes = None) -> None:
    """Run the agents of some pools; run any number, on any machines.

    SIGTERM drains: nothing new is taken, runs end for INTURN_DRAIN_SECONDS, the rest is given
    back. With INTURN_METRICS_PORT process n serves /healthz, /readyz and /metrics on that port + n.

    For example:

        INTURN_DATABASE_URL=postgresql+asyncpg://... INTURN_BROKER_URL=amqp://... inturn worker

        inturn worker --pool default --pool slow --slots 50 --processes 2
    """
    settings = start(slots=slots)
    distributed(settings, "worker")
    count = processes or os.cpu_count() or 1
    _check_ports(settings, count)
    asyncio.run(reach(settings))
    raise typer.Exit(supervise(settings, pools=pool or [DEFAULT_POOL], processes=count))


def _check_ports(settings: Settings, processes: int) -> None:
    if settings.metrics_port:
        for number in range(processes):
            bind(settings.host, settings.metrics_port + number, "INTURN_METRICS_PORT").close()
