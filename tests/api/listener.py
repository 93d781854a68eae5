"""A client of server-sent events that hears them as they come, and may leave in between."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Scope


@dataclass(frozen=True, slots=True)
class Heard:
    """One event, as it came over the wire."""

    id: str
    type: str
    data: dict[str, Any]


def parse(text: str) -> list[Heard]:
    """Read a stream, or the whole part of it that is there."""
    heard: list[Heard] = []
    for block in text.split("\n\n")[:-1]:
        fields = dict(line.split(": ", 1) for line in block.splitlines() if line[0] != ":")
        if "data" in fields:
            heard.append(Heard(fields["id"], fields["event"], json.loads(fields["data"])))
    return heard


@dataclass
class Listener:
    """What was heard until now."""

    body: bytes = b""  # of the request
    text: str = ""
    status: int = 0
    ended: bool = False
    _moved: asyncio.Event = field(default_factory=asyncio.Event)
    _left: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def heard(self) -> list[Heard]:
        return parse(self.text)

    async def until(self, *, events: int = 0, end: bool = False) -> list[Heard]:
        """Wait until so many events came, or the stream's end."""
        async with asyncio.timeout(10):
            while (end and not self.ended) or len(self.heard) < events or not self.status:
                await self._next()
        return self.heard

    async def until_said(self, text: str) -> str:
        """Wait until this came, whatever the stream looks like."""
        async with asyncio.timeout(10):
            while text not in self.text:
                await self._next()
        return self.text

    async def _next(self) -> None:
        self._moved.clear()
        await self._moved.wait()

    def leave(self) -> None:
        self._left.set()

    async def receive(self) -> Message:
        if self.body:
            body, self.body = self.body, b""
            return {"type": "http.request", "body": body}
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        else:
            self.text += message.get("body", b"").decode()
            self.ended = not message.get("more_body", False)
        self._moved.set()


@asynccontextmanager
async def listening(
    app: ASGIApp, key: str, url: str, body: bytes = b"", **headers: str
) -> AsyncIterator[Listener]:
    """Listen to a stream; leave it at the end of the block. With a body it is posted."""
    listener = Listener(body)
    streaming = asyncio.create_task(_ask(app, key, url, headers, listener))
    try:
        yield listener
    finally:
        listener.leave()
        async with asyncio.timeout(10):
            await streaming


async def _ask(
    app: ASGIApp, key: str, url: str, headers: dict[str, str], listener: Listener
) -> None:
    at = urlsplit(url)
    given = {"x-api-key": key, "accept": "text/event-stream"} | {
        name.replace("_", "-").lower(): value for name, value in headers.items()
    }
    if listener.body:
        given["content-type"] = "application/json"
    scope: Scope = {
        "type": "http",
        "method": "POST" if listener.body else "GET",
        "path": at.path,
        "raw_path": at.path.encode(),
        "query_string": at.query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
    }
    await app(scope, listener.receive, listener.send)
