"""What clients ask for, and what each is answered."""

from collections.abc import Awaitable, Callable

import structlog

from ingress.dialects.elizaos.sockets import wire
from ingress.dialects.elizaos.sockets.engine import Server
from ingress.dialects.elizaos.sockets.entry import Visitor
from ingress.dialects.elizaos.sockets.gatherings import Gatherings
from ingress.dialects.elizaos.sockets.wire import Type
from ingress.failures import as_domain_error
from shared.bootstrap import Platform
from shared.domain.errors import InternalError, SessionExpired
from shared.domain.message import Message
from shared.domain.requests import NewMessage
from shared.domain.session import Session
from shared.ids import SessionId, new_id

log = structlog.get_logger(__name__)

_Answer = Callable[[Visitor, object], Awaitable[None]]

_NO_LOGS = "This server does not stream its logs."
_LOGS = ("subscribe_logs", "unsubscribe_logs", "update_log_filters")


class Desk:
    """Hears the events of this contract; whatever is wrong with one is told its sender."""

    def __init__(
        self,
        server: Server,
        gatherings: Gatherings,
        visitors: dict[str, Visitor],
        platform: Callable[[], Platform],
    ) -> None:
        self._server = server
        self._gatherings = gatherings
        self._visitors = visitors
        self._platform = platform
        numbered = {str(each.value): self._typed(each) for each in Type}
        answers: dict[str, _Answer] = {
            "join": self._join,
            "leave": self._leave,
            "message": self._message,
            **numbered,
            **dict.fromkeys(_LOGS, self._no_logs),
        }
        for event, answer in answers.items():
            server.on(event, self._heard(answer))

    async def complain(self, sid: str, raised: Exception) -> None:
        """Tell a client what was wrong."""
        error = as_domain_error(raised) or InternalError("The client has left.")
        await self._server.emit("messageError", wire.complaint(error), to=sid)

    def _heard(self, answer: _Answer) -> Callable[..., Awaitable[None]]:
        async def hear(sid: str, payload: object = None, *_: object) -> None:
            visitor = self._visitors.get(sid)
            if visitor is None:
                return
            try:
                await answer(visitor, payload)
            except Exception as error:  # noqa: BLE001  (whatever it is, the client is told)
                await self.complain(sid, error)

        return hear

    async def _message(self, visitor: Visitor, told: object) -> None:
        type_, payload = wire.typed(told)
        await self._typed(type_)(visitor, payload)

    def _typed(self, type_: Type) -> _Answer:
        known = {Type.ROOM_JOINING: self._join_as_entity, Type.SEND_MESSAGE: self._send}
        return known.get(type_, self._nothing)

    async def _nothing(self, visitor: Visitor, payload: object) -> None:
        """Take what has no effect here."""

    async def _no_logs(self, visitor: Visitor, _: object) -> None:
        await self._server.emit("messageError", {"error": _NO_LOGS}, to=visitor.sid)

    async def _join_as_entity(self, visitor: Visitor, payload: object) -> None:
        if visitor.entity_id is None:
            raise wire.anonymous()
        await self._join(visitor, payload)

    async def _join(self, visitor: Visitor, payload: object) -> None:
        session = await self._session(visitor, wire.room_of(payload))
        await self._gatherings.enter(self._platform(), visitor, session)
        if session.id not in visitor.rooms:  # it left meanwhile
            return
        told = wire.joined(session, payload)
        for event in ("channel_joined", "room_joined"):
            await self._server.emit(event, told, to=visitor.sid)

    async def _leave(self, visitor: Visitor, payload: object) -> None:
        await self._gatherings.leave(visitor, wire.room_of(payload))

    async def _session(self, visitor: Visitor, session_id: SessionId) -> Session:
        """Find a session that lives; of one that has expired the client is told so again."""
        lifetimes = self._platform().lifetimes
        try:
            return (await lifetimes.get(visitor.access.principal, session_id)).session
        except SessionExpired as error:
            event, told = wire.expired(session_id, error.expires_at)
            await self._server.emit(event, told, to=visitor.sid)
            raise

    async def _accept(self, visitor: Visitor, new: NewMessage) -> Message:
        platform, principal = self._platform(), visitor.access.principal
        meters = platform.rates.meters(principal, visitor.access.meter, new.session_id)
        return (await platform.intake.accept(principal, new, meters=meters)).message

    async def _send(self, visitor: Visitor, payload: object) -> None:
        if visitor.entity_id is None:
            raise wire.anonymous()
        called = wire.client_message_id(payload)
        session = await self._platform().sessions.get(
            visitor.access.principal, wire.room_of(payload)
        )
        correlation_id = new_id().hex
        new = wire.new_message(payload, session, visitor.entity_id, correlation_id)
        self._gatherings.expect(visitor, session.id, correlation_id)
        try:
            message = await self._accept(visitor, new)
        except BaseException:
            self._gatherings.forget(session.id, correlation_id)
            raise
        own = wire.broadcast(session, message)
        if called is not None:
            own["clientMessageId"] = called
        await self._server.emit("messageBroadcast", own, to=visitor.sid)
        told = wire.acknowledged(session, message, called)
        await self._server.emit("messageAck", told, to=visitor.sid)
