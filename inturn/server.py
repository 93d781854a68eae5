"""HTTP: one uvicorn on the caller's loop, which decides itself when to stop."""

import asyncio
import os
import signal
import socket
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
import uvloop
from starlette.types import ASGIApp

from ingress.dialects.elizaos.sockets.engine import MAX_MESSAGE_BYTES
from inturn.head import BoundedHead
from inturn.refused import Refused
from inturn.start import local_url

_BACKLOG = 2048


class HttpServer(uvicorn.Server):
    """Uvicorn without its signal handlers: they end the process with the signal, not with 0."""

    def __init__(self, app: ASGIApp, *, grace_seconds: float, leaving: Callable[[], None]) -> None:
        self._leaving = leaving
        super().__init__(
            uvicorn.Config(
                app,
                http=BoundedHead,
                ws="wsproto",
                ws_max_size=MAX_MESSAGE_BYTES,
                ws_per_message_deflate=False,  # of one socket it costs hundreds of kilobytes
                lifespan="on",
                access_log=False,
                log_config=None,
                log_level="warning",
                server_header=False,
                timeout_graceful_shutdown=grace_seconds,  # type: ignore[arg-type]  # it only waits
            )
        )

    async def serve_until(self, stopping: asyncio.Event, listener: socket.socket) -> None:
        """Serve on `listener` until told to stop; then answer what was asked, and return."""
        async with asyncio.TaskGroup() as group:
            told = group.create_task(self._when(stopping))
            await self.serve(sockets=[listener])
            told.cancel()

    async def _when(self, stopping: asyncio.Event) -> None:
        await stopping.wait()
        self.should_exit = True
        self._leaving()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to `on_stop`."""
        yield


def bind(host: str, port: int, setting: str = "INTURN_PORT") -> socket.socket:
    """Take a port before anything else is started; `setting` is who to blame."""
    try:
        family, *_, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server((str(place[0]), port), family=family, backlog=_BACKLOG)
    except (OSError, OverflowError) as error:
        cause = getattr(error, "strerror", None) or error
        sentence = f"cannot listen on {host} port {port}: {cause}; see INTURN_HOST and {setting}."
        raise Refused(sentence) from None


def address(listener: socket.socket) -> str:
    """Print where a client on this machine reaches `listener`."""
    host, port = listener.getsockname()[:2]
    return local_url(host, port)


def on_stop(stop: Callable[[], object]) -> None:
    """Call `stop` on the running loop at SIGTERM and SIGINT; a second SIGINT ends the process."""
    loop = asyncio.get_running_loop()

    def interrupted() -> None:
        stop()
        loop.add_signal_handler(signal.SIGINT, lambda: os._exit(128 + signal.SIGINT))

    loop.add_signal_handler(signal.SIGTERM, stop)
    loop.add_signal_handler(signal.SIGINT, interrupted)


def run_loop(main: Coroutine[Any, Any, None]) -> None:
    """Run `main` on the house loop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main)
