"""`/healthz`, `/readyz` and `/metrics` of a process that serves no other HTTP."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from http import HTTPStatus

import orjson

from shared.domain.health import Readiness
from shared.telemetry import render

_HEAD_SECONDS = 5
_JSON = "application/json"

Ready = Callable[[], Awaitable[Readiness]]
Answer = tuple[HTTPStatus, str, bytes]


@asynccontextmanager
async def serve_health(ready: Ready, host: str, port: int) -> AsyncIterator[None]:
    """Answer on `port` of `host` while the block runs; port 0 is off.

    Raises OSError when the port is taken.
    """
    if not port:
        yield
        return
    server = await asyncio.start_server(partial(_converse, ready), host, port)
    try:
        yield
    finally:
        server.close()


async def _converse(
    ready: Ready, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    try:
        async with asyncio.timeout(_HEAD_SECONDS):
            head = await reader.readuntil(b"\r\n\r\n")
        writer.write(_render(*await _answer(ready, head)))
        await writer.drain()
    except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        pass  # a client that cannot ask; there is nobody to tell
    finally:
        writer.close()


async def _answer(ready: Ready, head: bytes) -> Answer:
    method, _, rest = head.partition(b" ")
    path = rest.partition(b" ")[0].partition(b"?")[0].rstrip(b"/")
    if method not in {b"GET", b"HEAD"}:
        return HTTPStatus.METHOD_NOT_ALLOWED, _JSON, b"{}"
    match path:
        case b"/healthz":
            return HTTPStatus.OK, _JSON, b'{"status":"ok"}'
        case b"/readyz":
            return _readiness(await ready())
        case b"/metrics":
            text, kind = render()
            return HTTPStatus.OK, kind, text
    return HTTPStatus.NOT_FOUND, _JSON, b"{}"


def _readiness(found: Readiness) -> Answer:
    status = HTTPStatus.OK if found.database.ok else HTTPStatus.SERVICE_UNAVAILABLE
    probes = {"database": found.database, "broker": found.broker}
    body = {
        "status": "ready" if found.database.ok else "unavailable",
        **{name: probe.state for name, probe in probes.items()},
        "latency_ms": {name: probe.latency_ms for name, probe in probes.items()},
    }
    return status, _JSON, orjson.dumps(body)


def _render(status: HTTPStatus, kind: str, body: bytes) -> bytes:
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {kind}\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
