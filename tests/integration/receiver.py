"""Somebody who receives webhooks: a real HTTP server on loopback, in the test's own hands."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self

from standardwebhooks import Webhook

from tests.integration.fleet import Fleet
from tests.services import LOOPBACK


@dataclass(frozen=True)
class Post:
    """What came in."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def verified(self, secret: str) -> dict[str, Any]:
        """What it says, if it was signed with this secret."""
        said: dict[str, Any] = Webhook(secret).verify(self.body, self.headers)
        return said


@dataclass
class Receiver:
    """Answers what `answer` says, once it is `open`."""

    answer: Callable[[Post], int] = lambda _: 200
    posts: list[Post] = field(default_factory=list)
    arrived: asyncio.Condition = field(default_factory=asyncio.Condition)
    open: asyncio.Event = field(default_factory=asyncio.Event)
    _server: asyncio.Server | None = None
    _served: dict[asyncio.Task[Any], asyncio.StreamWriter] = field(default_factory=dict)

    async def __aenter__(self) -> Self:
        self.open.set()
        self._server = await asyncio.start_server(self._serve, LOOPBACK)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        self.open.set()
        for writer in self._served.values():
            writer.close()
        await asyncio.gather(*self._served, return_exceptions=True)

    def url(self, path: str = "/hook") -> str:
        assert self._server is not None
        return f"http://{LOOPBACK}:{self._server.sockets[0].getsockname()[1]}{path}"

    async def until(self, enough: Callable[[], bool], within: float = 10) -> None:
        """Wait until what has arrived is enough."""
        async with asyncio.timeout(within), self.arrived:
            await self.arrived.wait_for(enough)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._served[task] = writer
        while post := await _read(reader):
            async with self.arrived:
                self.posts.append(post)
                self.arrived.notify_all()
            await self.open.wait()
            status = HTTPStatus(self.answer(post))
            writer.write(
                f"HTTP/1.1 {status} {status.phrase}\r\nContent-Length: 2\r\n\r\nok".encode()
            )
        writer.close()


async def _read(reader: asyncio.StreamReader) -> Post | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    request, *lines = head.strip().split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    body = await reader.readexactly(int(headers["content-length"]))
    return Post(request.split()[1], headers, body)


async def subscribe(fleet: Fleet, receiver: Receiver) -> dict[str, Any]:
    """Hear of every end of a run."""
    events = ["run.succeeded", "run.failed", "run.cancelled"]
    return await call(fleet, "POST", "/webhooks", {"url": receiver.url(), "events": events})


async def call(fleet: Fleet, method: str, path: str, body: object = None) -> dict[str, Any]:
    """Ask for something that succeeds."""
    answer = await fleet.client.request(method, f"/v1{path}", json=body)
    assert answer.is_success, answer.text
    found: dict[str, Any] = answer.json() if answer.content else {}
    return found


async def delivered(fleet: Fleet, path: str, count: int) -> list[dict[str, Any]]:
    """Wait until so many are delivered, and read the log."""

    async def enough() -> list[dict[str, Any]] | None:
        log = await call(fleet, "GET", f"{path}/deliveries?status=delivered&limit=200")
        return log["data"] if len(log["data"]) >= count else None

    return await fleet.until(enough, 30, f"{count} deliveries") or []
