"""Rooms: who in this process has joined which session, and what they are told of it."""

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, field

import structlog

from ingress.dialects.elizaos.sockets.engine import Server
from ingress.dialects.elizaos.sockets.entry import Visitor
from ingress.dialects.elizaos.sockets.wire import told_of
from shared.bootstrap import Platform
from shared.domain.errors import ValidationFailed
from shared.domain.message import Role
from shared.domain.session import Session
from shared.domain.sighting import Gone, Posted, Sighting
from shared.ids import SessionId
from shared.service.rooms import Room
from shared.telemetry import ROOMS

log = structlog.get_logger(__name__)

MAX_ROOMS = 100  # of one socket


@dataclass(eq=False, slots=True)
class _Gathering:
    """Everybody here who is in one session; one task follows it for all of them.

    `awaited` are messages on their way that a member sends, by correlation id: it is told of
    its own by whoever sends it.
    """

    session: Session
    members: dict[str, Visitor] = field(default_factory=dict)
    awaited: dict[str, str] = field(default_factory=dict)
    following: asyncio.Task[None] | None = None


class Gatherings:
    """One follower for each session that somebody here has joined, however many they are."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._rooms: dict[SessionId, _Gathering] = {}

    async def enter(self, platform: Platform, visitor: Visitor, session: Session) -> None:
        """Let a client hear of a session from now on. Raises NotFound, ValidationFailed."""
        if session.id not in visitor.rooms and len(visitor.rooms) >= MAX_ROOMS:
            raise ValidationFailed.of(("message", "roomId"), f"more than {MAX_ROOMS} rooms")
        room = self._rooms.get(session.id) or await self._open(platform, session)
        if not self._server.manager.is_connected(visitor.sid, "/"):  # it left meanwhile
            self._close_if_empty(room)
            return
        room.members[visitor.sid] = visitor
        visitor.rooms.add(session.id)
        await self._server.enter_room(visitor.sid, str(session.id))

    async def leave(self, visitor: Visitor, session_id: SessionId) -> None:
        """Tell a client nothing more of a session; nobody is followed who has no listener."""
        if session_id not in visitor.rooms:
            return
        visitor.rooms.discard(session_id)
        room = self._rooms.get(session_id)
        if room is not None:
            room.members.pop(visitor.sid, None)
        await self._server.leave_room(visitor.sid, str(session_id))
        if room is not None:
            self._close_if_empty(room)

    def expect(self, visitor: Visitor, session_id: SessionId, correlation_id: str) -> None:
        """Do not tell a member of the message that it is about to send."""
        if session_id in visitor.rooms and session_id in self._rooms:
            self._rooms[session_id].awaited[correlation_id] = visitor.sid

    def forget(self, session_id: SessionId, correlation_id: str) -> None:
        """That message was not sent."""
        if session_id in self._rooms:
            self._rooms[session_id].awaited.pop(correlation_id, None)

    async def close(self) -> None:
        """Follow nobody any more."""
        following = [room.following for room in self._rooms.values() if room.following]
        for room in tuple(self._rooms.values()):
            self._close(room)
        await asyncio.gather(*following, return_exceptions=True)

    async def _open(self, platform: Platform, session: Session) -> _Gathering:
        place = await platform.rooms.open(session.id)
        if session.id not in self._rooms:  # nobody was quicker
            room = self._rooms[session.id] = _Gathering(session)
            room.following = asyncio.create_task(self._follow(room, place))
            ROOMS.inc()
        return self._rooms[session.id]

    def _close_if_empty(self, room: _Gathering) -> None:
        if not room.members:
            self._close(room)

    def _close(self, room: _Gathering) -> None:
        self._take_down(room)
        if room.following is not None:
            room.following.cancel()

    def _take_down(self, room: _Gathering) -> None:
        """Let whoever joins from now on open another."""
        if self._rooms.get(room.session.id) is room:
            del self._rooms[room.session.id]
            ROOMS.dec()

    async def _follow(self, room: _Gathering, place: Room) -> None:
        try:
            async with aclosing(place.follow()) as following:
                async for sightings in following:
                    for sighting in sightings:
                        await self._tell(room, sighting)
        except Exception:
            # Who hears nothing more must not believe that there is nothing: it comes back.
            log.exception("room_lost", session_id=str(room.session.id))
            self._take_down(room)
            for member in tuple(room.members.values()):
                await self._server.eio.expel(member.eio_sid)

    async def _tell(self, room: _Gathering, sighting: Sighting) -> None:
        event, told = told_of(room.session, sighting)
        sender = None
        if isinstance(sighting, Posted) and sighting.message.role is Role.USER:
            sender = room.awaited.pop(sighting.message.correlation_id or "", None)
        await self._server.emit(event, told, room=str(room.session.id), skip_sid=sender)
        if isinstance(sighting, Gone):
            for member in tuple(room.members.values()):
                await self.leave(member, room.session.id)
