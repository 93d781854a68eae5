"""The application on a real port, and clients of socket.io that note what they hear."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import socketio
from starlette.types import ASGIApp

from inturn.server import HttpServer, address, bind

Told = tuple[str, Any]


class Client:
    """A client that keeps every event it hears, in order."""

    def __init__(self) -> None:
        self.heard: list[Told] = []
        self.io = socketio.AsyncClient(reconnection=False, logger=False)
        self.refused: list[Any] = []
        self._moved = asyncio.Event()
        self.io.on("*", self._hear)
        self.io.on("connect_error", self._refuse)
        self.io.on("disconnect", lambda reason: self._hear("disconnect", reason))

    async def tell(self, event: str, payload: Any) -> None:  # noqa: ANN401  # of any shape
        await self.io.emit(event, payload)

    async def until(self, event: str, count: int = 1) -> Any:  # noqa: ANN401  # JSON
        """Wait until an event came so often, and return what the last of them said."""
        async with asyncio.timeout(15):
            while len(found := self.of(event)) < count:
                self._moved.clear()
                await self._moved.wait()
        return found[count - 1]

    def of(self, event: str) -> list[Any]:
        return [told for name, told in self.heard if name == event]

    def names(self) -> list[str]:
        return [name for name, _ in self.heard]

    def _hear(self, event: str, *told: Any) -> None:  # noqa: ANN401  # JSON
        self.heard.append((event, told[0] if told else None))
        self._moved.set()

    def _refuse(self, why: Any) -> None:  # noqa: ANN401  # JSON
        self.refused.append(why)


@asynccontextmanager
async def served(app: ASGIApp, leaving: Callable[[], None]) -> AsyncIterator[str]:
    """Serve on a free port; yield the URL. Who connects before it has started waits."""
    stopping = asyncio.Event()
    with bind("127.0.0.1", 0) as listener:
        server = HttpServer(app, grace_seconds=5, leaving=leaving)
        serving = asyncio.create_task(server.serve_until(stopping, listener))
        yield address(listener)
        stopping.set()
        async with asyncio.timeout(10):
            await serving


@asynccontextmanager
async def connected(
    url: str,
    *,
    transport: str = "websocket",
    auth: object = None,
    **headers: str,
) -> AsyncIterator[Client]:
    """Connect; disconnect at the end of the block. Raises ConnectionError."""
    client = Client()
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        await client.io.connect(url, transports=[transport], auth=auth, headers=sent)
        await client.until("connection_established")
        yield client
    finally:
        await client.io.shutdown()
