"""Who is connected: let in, looked at again now and then, and seen out."""

import asyncio
from collections.abc import Callable
from typing import Any

import structlog
from socketio.exceptions import ConnectionRefusedError as Refused

from ingress.dialects.elizaos.sockets.desk import Desk
from ingress.dialects.elizaos.sockets.engine import Server
from ingress.dialects.elizaos.sockets.entry import FAILED, Visitor, admit, revoked
from ingress.dialects.elizaos.sockets.gatherings import Gatherings
from shared.bootstrap import Platform
from shared.clock import iso, wall
from shared.domain.errors import InturnError, Unavailable, ValidationFailed
from shared.telemetry import SOCKETS, SOCKETS_DROPPED

log = structlog.get_logger(__name__)

LOOK_SECONDS = 15.0
MAX_SOCKETS = 10_000  # of this process


class Lobby:
    """Everybody on one engine; what goes on in the background begins with the first."""

    def __init__(self, server: Server, platform: Callable[[], Platform]) -> None:
        self._server = server
        self._platform = platform
        self._visitors: dict[str, Visitor] = {}
        self._connections: dict[str, Visitor] = {}  # the same, by engine.io's id
        self._coming: dict[str, Visitor] = {}  # not greeted yet
        self._strangers: set[str] = set()  # connections that nobody had entered by
        self._tasks: list[asyncio.Task[None]] = []
        self._gatherings = Gatherings(server)
        self._desk = Desk(server, self._gatherings, self._visitors, platform)
        self._dispatch = server.eio.handlers["message"]
        self._closed = server.eio.handlers["disconnect"]
        server.eio.on("message", self._hear)
        server.eio.on("disconnect", self._close)
        server.on("connect", self._connect)
        server.on("disconnect", self._disconnect)

    def start(self) -> None:
        """Begin to look after whoever comes."""
        if not self._tasks:
            self._tasks = [asyncio.create_task(work) for work in (self._watch(), self._see_out())]

    async def close(self) -> None:
        """Disconnect everybody, and look after nobody any more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._expel(set(self._server.eio.sockets))
        await self._gatherings.close()

    async def make_room(self) -> None:
        """See that one more may come. Raises Unavailable.

        Who has come and not said who it is goes first, the oldest of them: no flood of such
        keeps others out.
        """
        sockets = self._server.eio.sockets
        if len(sockets) < MAX_SOCKETS:
            return
        oldest = next((each for each in sockets if each not in self._connections), None)
        if oldest is None:
            sentence = "This process has as many sockets as it takes."
            raise Unavailable(sentence, retry_after=5)
        SOCKETS_DROPPED.labels("silent").inc()
        await self._server.eio.expel(oldest)

    async def look(self) -> None:
        """Disconnect who may not be here any more, or came and never said who it was."""
        secrets = {each.secret for each in self._visitors.values() if each.secret is not None}
        gone = await revoked(self._platform(), secrets)
        for visitor in [each for each in self._visitors.values() if each.secret in gone]:
            SOCKETS_DROPPED.labels("revoked").inc()
            await self._server.disconnect(visitor.sid)  # it is told not to come back
            await self._server.eio.expel(visitor.eio_sid)
        strangers = set(self._server.eio.sockets) - set(self._connections)
        silent = strangers & self._strangers
        SOCKETS_DROPPED.labels("silent").inc(len(silent))
        await self._expel(silent)
        self._strangers = strangers - silent

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self.look()
            except Exception:
                log.exception("sockets_not_looked_at")  # the next time may well succeed

    async def _see_out(self) -> None:
        """When this process leaves, clients are to find another: polls would hold it up."""
        await self._platform().signals.until_released()
        await self._expel(set(self._server.eio.sockets))

    async def _expel(self, connections: set[str]) -> None:
        for eio_sid in connections:
            await self._server.eio.expel(eio_sid)

    async def _hear(self, eio_sid: str, data: object) -> None:
        """Take a packet; one that cannot be read is told its sender, if we know it."""
        try:
            await self._dispatch(eio_sid, data)
        except Exception as error:  # noqa: BLE001  (the library's words for what is no packet)
            await self._complain(eio_sid, error)
        if visitor := self._coming.pop(eio_sid, None):
            await self._greet(visitor)

    async def _close(self, eio_sid: str, reason: str) -> None:
        """End what the engine leaves waiting of a connection that is closed."""
        await self._closed(eio_sid, reason)
        socket = self._server.eio.sockets.get(eio_sid)
        if socket is not None:
            self._server.eio.release(socket)

    async def _complain(self, eio_sid: str, raised: Exception) -> None:
        visitor = self._connections.get(eio_sid)
        if visitor is None:
            await self._server.eio.expel(eio_sid)
            return
        unreadable = ValidationFailed.of(("message",), "cannot be read")
        await self._desk.complain(
            visitor.sid, raised if isinstance(raised, InturnError) else unreadable
        )

    async def _connect(self, sid: str, environ: dict[str, Any], auth: object = None) -> None:
        eio_sid: str = self._server.manager.eio_sid_from_sid(sid, "/")
        try:
            visitor = await admit(
                self._platform(), environ["asgi.scope"], auth, sid=sid, eio_sid=eio_sid
            )
        except Refused:
            raise
        except Exception:
            log.exception("socket_not_admitted")
            raise Refused(FAILED) from None
        if eio_sid in self._server.eio.sockets:  # it may have left meanwhile
            self._visitors[sid] = self._connections[eio_sid] = visitor
            self._coming[eio_sid] = visitor
            SOCKETS.inc()

    async def _greet(self, visitor: Visitor) -> None:
        if visitor.entity_id is not None:
            told = {"entityId": visitor.entity_id, "timestamp": iso(wall())}
            await self._server.emit("authenticated", told, to=visitor.sid)
        established = {"message": "Connected to Inturn", "socketId": visitor.sid}
        await self._server.emit("connection_established", established, to=visitor.sid)

    async def _disconnect(self, sid: str, _: str) -> None:
        visitor = self._visitors.pop(sid, None)
        if visitor is None:
            return
        SOCKETS.dec()
        self._connections.pop(visitor.eio_sid, None)
        self._coming.pop(visitor.eio_sid, None)
        for session_id in tuple(visitor.rooms):
            await self._gatherings.leave(visitor, session_id)
