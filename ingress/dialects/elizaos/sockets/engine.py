"""python-socketio as we need it: strict JSON, no binary data, and a bound on what waits.

A socket's queue is unbounded in the library: whoever does not read what is sent would cost
memory without end. Here such a client loses what waits for it, and its connection.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Any

import engineio
import orjson
import socketio
from socketio import packet

from ingress.strictjson import parse_json
from shared.domain.errors import ValidationFailed
from shared.settings import Settings
from shared.telemetry import SOCKETS_DROPPED

PING_INTERVAL, PING_TIMEOUT = 25, 20  # seconds
MAX_MESSAGE_BYTES = 1_000_000
MAX_BACKLOG_CHARS, MAX_BACKLOG_PACKETS = 1 << 20, 1_000
_MAX_ARGUMENTS = 3  # an event's name, what it says, and what nobody reads

# What it logs is what clients do wrong, at length; our own handlers let no error through.
_silent = logging.getLogger("inturn.engineio")
_silent.setLevel(logging.CRITICAL + 1)


class Backlog(asyncio.Queue[Any]):
    """What a client has not taken yet. A packet that finds nothing else waiting always fits."""

    _queue: deque[Any]

    def __init__(self, burst: Callable[["Backlog"], None]) -> None:
        super().__init__()
        self._burst = burst
        self._chars = 0
        self.over = False

    async def join(self) -> None:
        """Wait for nobody: a client may never take what is left."""

    def _init(self, maxsize: int) -> None:
        del maxsize
        self._queue = deque()

    def _put(self, item: Any) -> None:  # noqa: ANN401  (an engine.io packet, or null at the end)
        size = _size(item)
        if item is not None and (self.over or self._has_no_room_for(size)):
            self._drop()
            return
        self._chars += size
        self._queue.append(item)

    def _get(self) -> Any:  # noqa: ANN401
        item = self._queue.popleft()
        self._chars -= _size(item)
        return item

    def _has_no_room_for(self, size: int) -> bool:
        full = len(self._queue) >= MAX_BACKLOG_PACKETS
        return bool(self._queue) and (full or self._chars + size > MAX_BACKLOG_CHARS)

    def _drop(self) -> None:
        self._queue.clear()
        self._chars = 0
        if not self.over:
            self.over = True
            self._burst(self)


def _size(item: Any) -> int:  # noqa: ANN401
    data = None if item is None else item.data
    return len(data) if isinstance(data, str | bytes) else 0


class _Engine(engineio.AsyncServer):  # type: ignore[misc]  # it ships no types
    def create_queue(self, *_: object, **__: object) -> Backlog:
        return Backlog(self._expel_soon)

    def start_background_task(
        self, target: Callable[..., Any], *args: object, **kwargs: object
    ) -> object:
        """Begin; a socket remembers what pings it, which is to end with it."""
        task = super().start_background_task(target, *args, **kwargs)
        if target.__name__ == "_send_ping":
            target.__self__.pinging = task  # type: ignore[attr-defined]  # it is a method
        return task

    @staticmethod
    def release(socket: Any) -> None:  # noqa: ANN401  (it ships no types)
        """End what is left of a closed socket: its writer or poll, and the wait for its ping."""
        socket.queue.put_nowait(None)
        pinging: asyncio.Task[Any] | None = getattr(socket, "pinging", None)
        if pinging is not None and pinging is not asyncio.current_task():
            pinging.cancel()
            socket.pinging = None  # a circle would stay until it is looked for

    def _expel_soon(self, backlog: Backlog) -> None:
        SOCKETS_DROPPED.labels("slow").inc()
        mine = [each for each, socket in self.sockets.items() if socket.queue is backlog]
        for eio_sid in mine:
            self.start_background_task(self.expel, eio_sid)

    async def expel(self, eio_sid: str) -> None:
        """Close a connection; a client that wishes comes back."""
        socket = self.sockets.pop(eio_sid, None)
        if socket is not None:
            await socket.close(wait=False, reason=self.reason.SERVER_DISCONNECT)
            self.release(socket)


class _Json:
    """As the library asks for it; what comes in is as strict as any body."""

    @staticmethod
    def dumps(value: object, **_: object) -> str:
        return orjson.dumps(value).decode()

    @staticmethod
    def loads(text: str) -> object:
        return parse_json(text.encode())


class _Packet(packet.Packet):  # type: ignore[misc]  # it ships no types
    json = _Json

    def decode(self, encoded_packet: object) -> int:
        """Read a packet. Raises InturnError, ValueError."""
        if not isinstance(encoded_packet, str):
            raise _unreadable("expected text")
        if super().decode(encoded_packet):
            raise _unreadable("binary data are not taken")
        if self.packet_type == packet.EVENT:
            _check_event(self.data)
        return 0


def _check_event(data: object) -> None:
    if not isinstance(data, list) or not data or not isinstance(data[0], str):
        raise _unreadable("expected the name of an event, and what it says")
    if data[0] in {"connect", "disconnect"} or len(data) > _MAX_ARGUMENTS:
        raise _unreadable("no such event")


def _unreadable(why: str) -> ValidationFailed:
    return ValidationFailed.of(("message",), why)


def _welcome_from(origins: frozenset[str]) -> Callable[[str | None, dict[str, Any]], bool]:
    """Tell whether pages of an origin may connect: our own may, whatever else is said."""

    def welcome(origin: str | None, environ: dict[str, Any]) -> bool:
        # By host alone: whoever ends TLS before us may not say so.
        own = (origin or "").partition("://")[2] == environ.get("HTTP_HOST")
        return own or origin in origins or "*" in origins

    return welcome


class Server(socketio.AsyncServer):  # type: ignore[misc]  # it ships no types
    """Events of one client are heard in order, one at a time: who floods us waits."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(
            async_mode="asgi",
            serializer=_Packet,
            async_handlers=False,
            cors_allowed_origins=_welcome_from(frozenset(settings.cors_origins)),
            ping_interval=PING_INTERVAL,
            ping_timeout=PING_TIMEOUT,
            max_http_buffer_size=MAX_MESSAGE_BYTES,
            logger=_silent,
            engineio_logger=_silent,
        )

    def _engineio_server_class(self) -> type[_Engine]:
        return _Engine
