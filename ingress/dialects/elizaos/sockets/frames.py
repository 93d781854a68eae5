"""What passes between a client and the engine: only frames that it reads without harm."""

import asyncio
import re
from contextlib import suppress

from starlette.types import Message, Receive, Scope, Send

from ingress.body import read_body
from ingress.dialects.elizaos.sockets.engine import MAX_MESSAGE_BYTES, PING_TIMEOUT
from ingress.held import departure
from shared.domain.errors import ValidationFailed

_GONE: Message = {"type": "websocket.disconnect", "code": 1002}

# engine.io: close, ping, pong, message, upgrade; in a message, socket.io without binary data.
_PACKET = re.compile(r"(?:4[0-4].*|[1-35](?:probe)?)", re.DOTALL)
_SEPARATOR = "\x1e"
_MOST_PACKETS = 16


def well_formed(packet: object) -> bool:
    """Tell whether this is a packet that clients send."""
    return isinstance(packet, str) and _PACKET.fullmatch(packet) is not None


def checked(receive: Receive) -> Receive:
    """Receive from a WebSocket; a client that sends nonsense has left."""

    async def take() -> Message:
        message = await receive()
        if message["type"] == "websocket.receive" and not well_formed(message.get("text")):
            return _GONE
        return message

    return take


def timed(send: Send) -> Send:
    """Send to a WebSocket; a client that takes nothing for so long has left."""

    async def give(message: Message) -> None:
        async with asyncio.timeout(PING_TIMEOUT):
            await send(message)

    return give


async def posted(scope: Scope, receive: Receive) -> tuple[Scope, Receive]:
    """Read what a poller posts. Raises PayloadTooLarge, ValidationFailed, ClientDisconnect."""
    body = await read_body(scope, receive, MAX_MESSAGE_BYTES)
    try:
        packets = body.decode().split(_SEPARATOR)
    except UnicodeDecodeError:
        packets = [""]
    if len(packets) > _MOST_PACKETS or not all(map(well_formed, packets)):
        raise ValidationFailed.of(("body",), "expected packets of engine.io 4, without binary data")
    others = [each for each in scope["headers"] if each[0] != b"content-length"]
    headers = [*others, (b"content-length", b"%d" % len(body))]
    return {**scope, "headers": headers}, _once({"type": "http.request", "body": body})


async def until_gone(receive: Receive, answering: asyncio.Task[None]) -> None:
    """Let a poll be answered; a client that leaves before is not waited for."""
    leaving = asyncio.create_task(departure(receive))
    try:
        await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        leaving.cancel()
        answering.cancel()
        await asyncio.wait({answering, leaving})
    with suppress(asyncio.CancelledError):
        answering.result()


async def empty() -> Message:
    """Receive a request without a body."""
    return {"type": "http.request", "body": b""}


def _once(message: Message) -> Receive:
    async def take() -> Message:
        return message

    return take
