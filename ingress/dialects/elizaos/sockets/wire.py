"""Events of this contract's sockets: read from clients, printed for them."""

from dataclasses import replace
from enum import IntEnum
from math import ceil
from typing import Any, TypeAlias, cast

from ingress.deps import reader
from ingress.dialects.elizaos.sockets.entry import INVALID_ENTITY
from ingress.dialects.elizaos.wire import message_request
from ingress.dialects.elizaos.wire.message_view import milliseconds
from ingress.fields import as_uuid, user_uuid
from ingress.statuses import sentence
from shared.clock import SECOND, Instant, iso
from shared.domain.errors import (
    InternalError,
    InturnError,
    NotFound,
    SessionEnded,
    SessionExpired,
    ValidationFailed,
)
from shared.domain.jsontypes import JsonObject
from shared.domain.message import Message, Role, plain_text
from shared.domain.requests import NewMessage
from shared.domain.session import Session
from shared.domain.sighting import (
    Broken,
    Expired,
    Gone,
    Piece,
    Posted,
    Renewed,
    Sighting,
    Warned,
)
from shared.ids import SessionId

Said: TypeAlias = tuple[str, JsonObject]  # the name of an event, and what it says

NO_SESSION = "Session not found"
DEFAULT_SERVER = "00000000-0000-0000-0000-000000000000"
_USER, _USER_NAME = "User", "user_display_name"
_SOURCE, _AGENT_SOURCE = "client_chat", "agent_response"
_MAX_NAME = _MAX_CLIENT_ID = 200
_read_id = reader("sess")


class Type(IntEnum):
    """What a `message` is, by number; what agents and servers say is nothing clients can."""

    ROOM_JOINING = 1
    SEND_MESSAGE = 2
    MESSAGE = 3
    ACK = 4
    THINKING = 5
    CONTROL = 6


def typed(told: object) -> tuple[Type, object]:
    """Read `{type, payload}`. Raises ValidationFailed."""
    number = told.get("type") if isinstance(told, dict) else None
    if not isinstance(number, int) or isinstance(number, bool) or number not in set(Type):
        raise _invalid("type", "expected a number from 1 to 6")
    return Type(number), cast("dict[str, Any]", told).get("payload")


def room_of(payload: object) -> SessionId:
    """Read which session is meant: its id and its channel's are one. Raises NotFound too."""
    told = _object(payload)
    given = told.get("roomId") if told.get("roomId") is not None else told.get("channelId")
    if given is None:
        raise _invalid("roomId", "is missing")
    if not isinstance(given, str):
        raise _invalid("roomId", "expected a string")
    try:
        return SessionId(_read_id(given))
    except ValueError:
        raise NotFound("session") from None


def new_message(
    payload: object, session: Session, entity_id: str, correlation_id: str
) -> NewMessage:
    """Read what is to be sent, by whoever is connected. Raises InturnError."""
    told = _object(payload)
    if told.get("senderId") is not None and as_uuid(told["senderId"]) is None:
        raise _invalid("senderId", "expected a UUID")
    name = told.get("senderName")
    if name is not None and not (isinstance(name, str) and len(name) <= _MAX_NAME):
        raise _invalid("senderName", f"expected at most {_MAX_NAME} characters")
    asked = message_request.NewMessage(
        content=told.get("message"),
        attachments=told.get("attachments"),
        metadata=told.get("metadata"),
    )
    asked.asked()
    new = asked.to_domain(session, correlation_id)
    named: JsonObject = {_USER_NAME: name} if name else {}
    return replace(new, author_id=entity_id, metadata=new.metadata | named)


def client_message_id(payload: object) -> str | None:
    """Read what the client calls its message. Raises ValidationFailed."""
    given = _object(payload).get("messageId")
    if given is not None and not (isinstance(given, str) and len(given) <= _MAX_CLIENT_ID):
        raise _invalid("messageId", f"expected at most {_MAX_CLIENT_ID} characters")
    return given


def joined(session: Session, payload: object) -> JsonObject:
    """Say that a client is in a room."""
    agent_id = as_uuid(_object(payload).get("agentId"))
    told: JsonObject = {"message": f"User joined channel {session.id}", **_room(session)}
    return told if agent_id is None else told | {"agentId": str(agent_id)}


def acknowledged(session: Session, message: Message, called: str | None) -> JsonObject:
    """Say that a message is stored, and that its answer follows."""
    return {
        "clientMessageId": called,
        "messageId": str(message.id),
        "status": "received_by_server_and_processing",
        **_room(session),
    }


def broadcast(session: Session, message: Message) -> JsonObject:
    """Print a message for everybody in its room."""
    agent = message.role is Role.ASSISTANT
    author = session.agent_id if agent else user_uuid(message.author_id or session.user_id)
    told: JsonObject = {
        "id": str(message.id),
        "senderId": str(author),
        "senderName": session.agent if agent else message.metadata.get(_USER_NAME) or _USER,
        "text": plain_text(message.content),
        **_room(session),
        "serverId": DEFAULT_SERVER,
        "messageServerId": DEFAULT_SERVER,
        "createdAt": milliseconds(message.created_at),
        "source": _AGENT_SOURCE if agent else _SOURCE,
    }
    if message.attachments or not agent:
        told["attachments"] = list(message.attachments)
    if agent and message.reasoning is not None:
        told["thought"] = message.reasoning
    return told


def expired(session_id: SessionId, expires_at: Instant) -> Said:
    """Say that a session's time is up."""
    told: JsonObject = {"sessionId": str(session_id), "expiredAt": iso(expires_at)}
    return "sessionExpired", told


def told_of(session: Session, sighting: Sighting) -> Said:
    """Print what everybody in the room is to know."""
    match sighting:
        case Posted(message=message):
            return "messageBroadcast", broadcast(session, message)
        case Piece():
            return "messageStreamChunk", {
                "messageId": str(sighting.message_id),
                "chunk": sighting.text,
                "index": sighting.index,
                **_streamed(session),
            }
        case Broken():
            told = {"messageId": str(sighting.message_id), **_streamed(session)}
            partial: JsonObject = {} if sighting.text is None else {"partialText": sighting.text}
            return "messageStreamError", {**told, "error": sighting.error, **partial}
        case Expired(expires_at=expires_at):
            return expired(session.id, expires_at)
        case Warned():
            minutes = ceil((sighting.expires_at - sighting.warned_at) / (60 * SECOND))
            of: JsonObject = {"sessionId": str(session.id), "minutesRemaining": max(0, minutes)}
            return "sessionExpirationWarning", of
        case Renewed():
            return "sessionRenewed", {
                "sessionId": str(session.id),
                "expiresAt": iso(sighting.expires_at),
                "renewalCount": sighting.renewal_count,
            }
        case Gone():
            return "messageError", {"error": NO_SESSION, **_room(session)}


def complaint(error: InturnError) -> JsonObject:
    """Say what is wrong, as `messageError`."""
    match error:
        case NotFound() | SessionEnded():
            return {"error": NO_SESSION}
        case SessionExpired():
            return {"error": f"Session '{error.session_id}' expired at {iso(error.expires_at)}"}
        case InternalError():
            return {"error": "An unexpected error occurred"}
    return {"error": sentence(error)}


def anonymous() -> InturnError:
    """Who wants to do more than listen says who it is."""
    return _invalid("entityId", INVALID_ENTITY)


def _room(session: Session) -> JsonObject:
    return {"channelId": str(session.id), "roomId": str(session.id)}


def _streamed(session: Session) -> JsonObject:
    return {"channelId": str(session.id), "agentId": str(session.agent_id)}


def _object(payload: object) -> dict[str, Any]:
    if not isinstance(payload, dict):
        raise _invalid("payload", "expected an object")
    return payload


def _invalid(field: str, why: str) -> ValidationFailed:
    return ValidationFailed.of(("message", field), why)
