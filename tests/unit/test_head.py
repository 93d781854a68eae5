"""Heads of requests: what is longer than any head gets no memory."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send
from uvicorn import Config
from uvicorn.server import ServerState

from inturn.head import MAX_HEAD_BYTES, BoundedHead

POST = b"POST / HTTP/1.1\r\nHost: here\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
MORE = b"a" * MAX_HEAD_BYTES


async def count(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer how long the body is."""
    with suppress(ClientDisconnect):
        body = await Request(scope, receive).body()
        headers = {"Connection": "close"}
        await PlainTextResponse(str(len(body)), headers=headers)(scope, receive, send)


@pytest.fixture
async def port() -> AsyncIterator[int]:
    config, state = Config(count, log_config=None, lifespan="off"), ServerState()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: BoundedHead(config=config, server_state=state, app_state={}), "127.0.0.1", 0
    )
    async with server:
        yield server.sockets[0].getsockname()[1]


async def answers(port: int, *parts: bytes) -> bytes:
    """Send piece by piece, and read the answer; nothing, if the other side had enough."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    read = b""
    with suppress(ConnectionError):
        async with asyncio.timeout(5):
            for part in parts:
                writer.write(part)
                await writer.drain()
            while chunk := await reader.read(MAX_HEAD_BYTES):
                read += chunk
    writer.close()
    return read


@pytest.mark.parametrize(
    "begun", [b"GET /", b"GET /?", POST + b"X-Big: ", POST + b"X", POST + b"A: b\r\n" * 5_000]
)
async def test_a_head_that_does_not_end_is_refused(port: int, begun: bytes) -> None:
    read = await answers(port, begun, MORE[: MAX_HEAD_BYTES + 1 - len(begun)])
    assert read.startswith(b"HTTP/1.1 431 ")


async def test_trailers_that_do_not_end_are_refused(port: int) -> None:
    read = await answers(port, CHUNKED, b"1\r\na\r\n0\r\nX-Big: ", *[MORE] * 20)
    assert read == b""


@pytest.mark.parametrize("pieces", [1, 40])
async def test_bodies_may_be_longer_than_heads(port: int, pieces: int) -> None:
    body = MORE * 4
    head = POST + b"X-Long: " + b"a" * (MAX_HEAD_BYTES // 2) + b"\r\nContent-Length: %d\r\n\r\n"
    whole = head % len(body) + body
    size = len(whole) // pieces + 1
    read = await answers(port, *(whole[at : at + size] for at in range(0, len(whole), size)))
    assert read.endswith(b"%d" % len(body))


async def test_a_body_may_come_in_many_small_chunks(port: int) -> None:
    chunk = b"1\r\na\r\n" * (MAX_HEAD_BYTES // 8)
    read = await answers(port, CHUNKED, *[chunk] * 4, b"0\r\n\r\n")
    assert read.endswith(b"%d" % (4 * (MAX_HEAD_BYTES // 8)))
