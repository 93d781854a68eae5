"""`inturn serve`: everything in one process."""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import typer

from ingress.app import create_app
from inturn import devkey
from inturn.banner import banner
from inturn.ingress import Host, Port
from inturn.leaving import clearing
from inturn.opened import migrated, opened
from inturn.server import HttpServer, address, bind, on_stop, run_loop
from inturn.start import start
from inturn.sweeper import sweeping
from inturn.worker import Pools, Slots
from shared.bootstrap import Platform
from shared.settings import Settings
from workers.runtime import WorkerRuntime

# Answers that are held when the last run has ended wait for nothing that can come.
_GRACE_SECONDS = 2.0


def serve(host: Host = None, port: Port = None, pool: Pools = None, slots: Slots = None) -> None:
    """Take messages, run agents, sweep: all in this process, on SQLite unless told otherwise.

    Migrates its database, prints a key and commands to try. The first Ctrl-C drains: runs end
    for INTURN_DRAIN_SECONDS, the rest is given back. The second leaves at once; nothing is lost.

    For example:

        inturn serve

        inturn serve --port 8080 --pool default --pool slow

        INTURN_DATABASE_URL=postgresql+asyncpg://... INTURN_BROKER_URL=amqp://... inturn serve
    """
    settings = start(host=host, port=port, slots=slots)
    with bind(settings.host, settings.port) as listener:
        run_loop(_serve(_with_key(settings), listener, tuple(pool or ())))


def _with_key(settings: Settings) -> Settings:
    if settings.sqlite or not settings.bootstrap_key:
        devkey.prepare(settings.data_dir)
    key = settings.bootstrap_key or devkey.ensure(settings.data_dir)
    return settings.model_copy(update={"bootstrap_key": key})


async def _serve(settings: Settings, listener: socket.socket, pools: Sequence[str]) -> None:
    stopping, drained = asyncio.Event(), asyncio.Event()
    on_stop(stopping.set)
    if not settings.sqlite:  # which migrates itself, once it is owned
        await migrated(settings)
    async with (
        opened(settings) as platform,
        sweeping(platform),
        clearing(platform, stopping),
    ):
        server = HttpServer(
            create_app(settings, platform),
            grace_seconds=_GRACE_SECONDS,
            leaving=platform.signals.release,
        )
        async with asyncio.TaskGroup() as group, _working(platform, pools) as runtime:
            serving = group.create_task(server.serve_until(drained, listener))
            typer.echo(banner(address(listener), settings.bootstrap_key or ""))
            await stopping.wait()
            await runtime.drain()
            drained.set()
            await serving


@asynccontextmanager
async def _working(platform: Platform, pools: Sequence[str]) -> AsyncIterator[WorkerRuntime]:
    runtime = WorkerRuntime(platform, pools=pools or sorted(await platform.agents.pools()))
    await runtime.start()
    try:
        runtime.consume()
        yield runtime
    finally:
        await runtime.stop()
