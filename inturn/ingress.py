"""`inturn ingress`: HTTP, in any number of processes."""

import asyncio
import socket
from typing import Annotated

import typer

from ingress.app import create_app
from inturn.leaving import clearing
from inturn.opened import opened
from inturn.server import HttpServer, address, bind, on_stop, run_loop
from inturn.start import distributed, start
from shared.settings import Settings

Host = Annotated[str | None, typer.Option(help="Address to listen on  [INTURN_HOST]")]
Port = Annotated[int | None, typer.Option(help="Port to listen on; 0: a free one  [INTURN_PORT]")]


def ingress(host: Host = None, port: Port = None) -> None:
    """Take messages and answer pollers over HTTP; run any number behind a load balancer.

    Needs PostgreSQL, migrated. Starts and accepts without the broker: the backlog drains later.

    For example:

        INTURN_DATABASE_URL=postgresql+asyncpg://... INTURN_BROKER_URL=amqp://... inturn ingress

        inturn ingress --host 0.0.0.0 --port 8080
    """
    settings = start(host=host, port=port)
    distributed(settings, "ingress")
    with bind(settings.host, settings.port) as listener:
        run_loop(_ingress(settings, listener))


async def _ingress(settings: Settings, listener: socket.socket) -> None:
    stopping = asyncio.Event()
    on_stop(stopping.set)
    async with opened(settings) as platform, clearing(platform, stopping):
        server = HttpServer(
            create_app(settings, platform),
            grace_seconds=settings.drain_seconds,
            leaving=platform.signals.release,
        )
        typer.echo(f"Inturn answers at {address(listener)}")
        await server.serve_until(stopping, listener)
