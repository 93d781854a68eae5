"""Messages on the wire: what callers see."""

from typing import Any, Literal, TypeAlias

from pydantic import BaseModel

from ingress.dialects.elizaos.wire.session_view import channel
from ingress.fields import Timestamp, user_uuid
from shared.clock import Instant, iso
from shared.domain.history import Window
from shared.domain.jsontypes import Json, JsonObject
from shared.domain.lifetime import Lifetime
from shared.domain.living import Living
from shared.domain.message import Message, Role, plain_text
from shared.domain.requests import Accepted
from shared.domain.session import Session

_MILLISECOND = 1000  # an instant is microseconds

Attachments: TypeAlias = list[dict[str, Any]]


class SessionStatus(BaseModel):
    """What the message did to the session's lifetime."""

    expiresAt: Timestamp
    renewalCount: int
    wasRenewed: bool
    isNearExpiration: bool


class AgentResponse(BaseModel):
    """What the agent answers; `thought` where it tells what it thought."""

    text: str
    thought: str | None = None


class SentMessage(BaseModel):
    """A message that is stored. Metadata are the session's, and then its own."""

    id: str
    content: str
    authorId: str
    createdAt: Timestamp
    metadata: dict[str, object]


class UserMessage(SentMessage):
    """The same, with the names that newer clients know; `created_at` is epoch milliseconds."""

    author_id: str
    channel_id: str
    created_at: int
    attachments: Attachments | None = None


class SentData(BaseModel):
    """What clients unwrap."""

    success: Literal[True]
    userMessage: UserMessage
    agentResponse: AgentResponse | None = None
    sessionStatus: SessionStatus


class Sent(SentMessage, SentData):
    """A message that is stored, for clients of every age.

    `agentResponse` is there with transport `http`, if the agent answered in time.
    """

    data: SentData


class ListedMessage(SentMessage):
    """One utterance."""

    isAgent: bool
    attachments: Attachments | None = None


class Cursors(BaseModel):
    """Epoch milliseconds of the oldest and the newest message of a page."""

    before: int
    after: int


class MessagePage(BaseModel):
    """Messages, newest first; an empty page has no cursors."""

    messages: list[ListedMessage]
    hasMore: bool
    cursors: Cursors | None = None


def from_accepted(accepted: Accepted, living: Living) -> JsonObject:
    """Print a message that was just stored, and what it did to the session's lifetime."""
    message = accepted.message
    lifetime = accepted.lifetime or living.lifetime
    sent = _spoken(message, living.session, lifetime)
    common: JsonObject = {
        "success": True,
        "userMessage": sent
        | {
            "author_id": sent["authorId"],
            "channel_id": str(message.session_id),
            "created_at": milliseconds(message.created_at),
        }
        | _attachments(message),
        "sessionStatus": {
            "expiresAt": iso(lifetime.expires_at),
            "renewalCount": lifetime.renewal_count,
            "wasRenewed": accepted.renewed,
            "isNearExpiration": lifetime.ends_soon(message.created_at),
        },
    }
    return {**sent, **common, "data": common}


def with_answer(sent: JsonObject, response: JsonObject) -> JsonObject:
    """Add the agent's answer."""
    data = sent["data"]
    assert isinstance(data, dict)  # noqa: S101  (as printed above)
    added: JsonObject = {"agentResponse": response}
    return {**sent, **added, "data": data | added}


def from_answer(text: str, reasoning: str | None) -> JsonObject:
    """Print what an agent answers."""
    return {"text": text} if reasoning is None else {"text": text, "thought": reasoning}


def from_window(window: Window, living: Living) -> JsonObject:
    """Print a page, and where the next ones begin."""
    listed: list[Json] = [_listed(each, living) for each in window.messages]
    body: JsonObject = {"messages": listed, "hasMore": window.has_more}
    if not window.messages:
        return body
    before, after = (milliseconds(window.messages[at].created_at) for at in (-1, 0))
    return body | {"cursors": {"before": before, "after": after}}


def _listed(message: Message, living: Living) -> JsonObject:
    spoken = _spoken(message, living.session, living.lifetime)
    return spoken | {"isAgent": message.role is Role.ASSISTANT} | _attachments(message)


def milliseconds(instant: Instant) -> int:
    """Print an instant as JavaScript counts."""
    return instant // _MILLISECOND


def _spoken(message: Message, session: Session, lifetime: Lifetime) -> JsonObject:
    return {
        "id": str(message.id),
        "content": plain_text(message.content),
        "authorId": _author(message, session),
        "createdAt": iso(message.created_at),
        "metadata": _metadata(message, session, lifetime),
    }


def _author(message: Message, session: Session) -> str:
    if message.role is Role.ASSISTANT:
        return str(session.agent_id)
    return str(user_uuid(message.author_id or session.user_id))


def _metadata(message: Message, session: Session, lifetime: Lifetime) -> JsonObject:
    if message.role is not Role.ASSISTANT:
        return channel(session, lifetime) | message.metadata
    thought = message.reasoning
    return message.metadata | ({} if thought is None else {"thought": thought})


def _attachments(message: Message) -> JsonObject:
    return {"attachments": list(message.attachments)} if message.attachments else {}
