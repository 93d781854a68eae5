"""The application on a real port, and clients of socket.io that note what they hear."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import httpx
import socketio
from starlette.types import ASGIApp

from inturn.server import HttpServer, address, bind
from shared.ids import parse
from tests.api.caller import Caller

Told = tuple[str, Any]

ENTITY = "11111111-2222-3333-4444-555555555555"


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
    """Connect; disconnect at the end of the block. Raises ConnectionError.

    Transports are `websocket`, `polling`, or `polling+websocket`: an upgrade.
    """
    client = Client()
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        await client.io.connect(url, transports=transport.split("+"), auth=auth, headers=sent)
        await client.until("connection_established")
        yield client
    finally:
        await client.io.shutdown()


async def session_of(service: Caller) -> str:
    """A session that lives until it is deleted, as this contract spells it."""
    body = await service.ok("POST", "/v1/sessions", {"agent": "echo"})
    return str(parse("sess", body["id"]))


async def living(service: Caller) -> str:
    """A session of half an hour, of which the last five minutes are warned of."""
    echo = (await service.ok("GET", "/v1/agents/echo"))["id"]
    asked = {"agentId": str(parse("agent", echo)), "userId": str(uuid4())}
    answer = await service.http.post(
        "/api/messaging/sessions", json=asked, headers={"X-API-Key": service.key}
    )
    assert answer.status_code == httpx.codes.CREATED, answer.text
    return str(answer.json()["sessionId"])


async def join(client: Client, room: str) -> None:
    await client.tell("join", {"roomId": room})
    assert (await client.until("room_joined"))["roomId"] == room


async def say(client: Client, room: str, text: str, **more: object) -> None:
    payload = {"channelId": room, "senderId": ENTITY, "message": text, **more}
    await client.tell("message", {"type": 2, "payload": payload})
