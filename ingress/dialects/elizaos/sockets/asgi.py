"""The door of socket.io: long polling and WebSocket at `/socket.io/`."""

import asyncio
import re
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import parse_qs

import structlog
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from ingress.body import header
from ingress.dialects.elizaos.sockets import frames
from ingress.dialects.elizaos.sockets.engine import Server
from ingress.dialects.elizaos.sockets.lobby import Lobby
from ingress.failures import as_domain_error
from ingress.observe import observe
from ingress.statuses import error_headers, sentence, status_of
from shared.bootstrap import Platform
from shared.clock import monotonic
from shared.domain.errors import Unavailable, ValidationFailed
from shared.ids import new_id
from shared.settings import Settings

log = structlog.get_logger(__name__)

PATH = "/socket.io"

_CORRELATION = b"x-correlation-id"
_VISIBLE = re.compile(rb"[\x21-\x7e]{1,128}")
_NO_ANSWER = 499  # for metrics: the client left first


@dataclass(frozen=True, slots=True)
class _Route:
    path_format: str = f"{PATH}/"


class Sockets:
    """An ASGI application for HTTP and WebSocket; it owns what it starts, until `close`."""

    def __init__(self, settings: Settings) -> None:
        self.platform: Platform | None = None
        self._server = Server(settings)
        self.lobby = Lobby(self._server, self._open)

    @staticmethod
    def speak_for(path: str) -> bool:
        """Tell whether this path is socket.io's."""
        return path == PATH or path.startswith(f"{PATH}/")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or talk for as long as a WebSocket lasts."""
        given = header(scope, _CORRELATION) or b""
        correlation_id = given if _VISIBLE.fullmatch(given) else new_id().hex.encode()
        structlog.contextvars.bind_contextvars(correlation_id=correlation_id.decode())
        if scope["type"] == "websocket":
            await self._talk(scope, receive, send)
            return
        answer = _Answer(send, correlation_id)
        started = monotonic()
        try:
            await self._respond(scope, receive, answer)
        except Exception as error:  # noqa: BLE001  (whatever it is, the caller gets an answer)
            await _apologise(error, scope, receive, answer)
        finally:
            seconds = monotonic() - started
            observe("elizaos", {**scope, "route": _Route()}, answer.status, seconds)

    async def close(self) -> None:
        """Disconnect everybody."""
        await self.lobby.close()
        await self._server.shutdown()

    def _open(self) -> Platform:
        if self.platform is None:
            raise Unavailable("This process is starting or stopping.", retry_after=1)
        return self.platform

    async def _check(self, scope: Scope) -> None:
        """Refuse what the engine would stumble over, and newcomers we have no room for."""
        query = parse_qs(scope["query_string"].decode("latin-1"))
        if "j" in query:
            raise ValidationFailed.of(("query", "j"), "JSONP is not supported")
        platform = self._open()
        if "sid" in query:
            return
        if platform.signals.released:
            raise Unavailable("This process is stopping.", retry_after=1)
        await self.lobby.make_room()
        self.lobby.start()

    async def _respond(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._check(scope)
        if scope["method"] == "POST":
            await self._server.handle_request(*await frames.posted(scope, receive), send)
            return
        asked = self._server.handle_request(scope, frames.empty, send)
        await frames.until_gone(receive, asyncio.ensure_future(asked))

    async def _talk(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._check(scope)
        except (Unavailable, ValidationFailed) as error:
            await receive()
            await send({"type": "websocket.close", "code": 1013, "reason": sentence(error)})
            return
        try:
            await self._server.handle_request(scope, frames.checked(receive), frames.timed(send))
        except Exception:
            log.exception("socket_failed")


class _Answer:
    """Sends, adding the correlation id, and remembers the status."""

    __slots__ = ("_correlation_id", "_send", "status")

    def __init__(self, send: Send, correlation_id: bytes) -> None:
        self._send = send
        self._correlation_id = correlation_id
        self.status = _NO_ANSWER

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = [*message["headers"], (_CORRELATION, self._correlation_id)]
            message = {**message, "headers": headers}
        await self._send(message)


async def _apologise(raised: Exception, scope: Scope, receive: Receive, answer: _Answer) -> None:
    # The engine raises KeyError for a connection that is closed already.
    known = ValidationFailed.of(("query", "sid"), "no such connection")
    error = known if isinstance(raised, KeyError) else as_domain_error(raised)
    if error is None or answer.status != _NO_ANSWER:
        return
    status = status_of(error)
    if status is HTTPStatus.UNPROCESSABLE_ENTITY:
        status = HTTPStatus.BAD_REQUEST
    response = PlainTextResponse(sentence(error), status, error_headers(error, status))
    await response(scope, receive, answer)
