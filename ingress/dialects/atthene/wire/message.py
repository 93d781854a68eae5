"""Messages on the wire: what is sent, and what was said."""

from typing import Annotated, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from ingress.content import KINDS, ContentField, to_content
from ingress.dialects.atthene.wire.session import ORIGIN, PageQuery
from ingress.fields import CorrelationId, Inputs, Timestamp, json_object
from shared import ids
from shared.clock import iso
from shared.domain import requests
from shared.domain.errors import PayloadTooLarge
from shared.domain.history import Slice
from shared.domain.jsontypes import Json, JsonObject
from shared.domain.message import Message as DomainMessage
from shared.domain.message import plain_text
from shared.domain.principal import Principal
from shared.ids import SessionId

_ANY_LENGTH = 1 << 62


def _known_types(content: object) -> object:
    """Name the type of a block that is unknown."""
    for number, block in enumerate(content if isinstance(content, list) else ()):
        kind = block.get("type") if isinstance(block, dict) else None
        if isinstance(kind, str) and kind not in KINDS:
            message = f"block {number} is of the unknown type {kind[:100]!r}"
            raise ValueError(message)
    return content


class Execute(BaseModel):
    """A message, and what the run that answers it is told with it."""

    model_config = ConfigDict(
        strict=True,
        json_schema_extra={"example": {"content": "What is the weather like today?"}},
    )

    content: Annotated[ContentField, BeforeValidator(_known_types)]
    correlation_id: CorrelationId | None = None
    inputs: Annotated[
        Inputs | None,
        Field(description="Variables: those of the session once, those of a request every time."),
    ] = None

    def to_domain(
        self, principal: Principal, session_id: SessionId, correlation_id: str, max_chars: int
    ) -> requests.NewMessage:
        """Translate. Raises PayloadTooLarge."""
        content = to_content(self.content, _ANY_LENGTH)
        if len(plain_text(content)) > max_chars:
            raise PayloadTooLarge(f"The content has more than {max_chars} characters of text.")
        return requests.NewMessage(
            session_id=session_id,
            content=content,
            correlation_id=correlation_id,
            author_id=principal.user_id,
            inputs=json_object(self.inputs or {}),
            origin=ORIGIN,
        )


class MessagesQuery(PageQuery):
    """Which messages."""

    correlation_id: CorrelationId | None = None


class Message(BaseModel):
    """What was said: text, or blocks."""

    id: str
    role: str
    content: str | list[dict[str, object]]
    timestamp: Timestamp


class Messages(BaseModel):
    """Messages of users and agents, oldest first."""

    messages: list[Message]
    total: int
    has_more: bool


def from_slice(query: PageQuery, found: Slice) -> JsonObject:
    messages: list[Json] = [_from_message(each) for each in found.messages]
    return {
        "messages": messages,
        "total": found.total,
        "has_more": query.more(len(messages), found.total),
    }


def _from_message(message: DomainMessage) -> JsonObject:
    return {
        "id": ids.spell("msg", message.id),
        "role": message.role,
        "content": cast("Json", message.content),
        "timestamp": iso(message.created_at),
    }
