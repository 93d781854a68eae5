"""Messages on the wire: what callers send."""

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, WithJsonSchema

from ingress.dialects.elizaos.wire.attachment import AttachmentsField, to_attachments, to_block
from ingress.dialects.elizaos.wire.refusal import invalid_content, invalid_transport
from ingress.dialects.elizaos.wire.session_request import ORIGIN, MetadataField, to_metadata
from shared.domain import requests
from shared.domain.jsontypes import JsonObject
from shared.domain.message import Content
from shared.domain.session import Session

MAX_CONTENT = 4000
_MAX_ECHO = 40


class Transport(StrEnum):
    """How the answer comes: with this answer, as a stream, or over a socket later."""

    HTTP = "http"
    SSE = "sse"
    WEBSOCKET = "websocket"


_TRANSPORTS = {each.value: each for each in Transport} | {
    "sync": Transport.HTTP,
    "stream": Transport.SSE,
}


class NewMessage(BaseModel):
    """What a user says. `mode` is an older word for `transport`: `sync`, `stream`, `websocket`."""

    model_config = ConfigDict(
        json_schema_extra={
            "required": ["content"],
            "example": {"content": "Hello!", "transport": "http"},
        }
    )

    content: Annotated[
        object, WithJsonSchema({"type": "string", "minLength": 1, "maxLength": MAX_CONTENT})
    ] = None
    attachments: AttachmentsField = None
    metadata: MetadataField = None
    transport: Annotated[
        object,
        WithJsonSchema(
            {
                "type": "string",
                "enum": ["http", "sse", "websocket", "sync", "stream"],
                "default": "websocket",
            }
        ),
    ] = None
    mode: Annotated[
        object, WithJsonSchema({"type": "string", "enum": ["sync", "stream", "websocket"]})
    ] = None

    def asked(self) -> Transport:
        """Check what is checked before the session is looked for. Raises Refusal."""
        transport = _transport(self.mode if self.transport is None else self.transport)
        if not isinstance(self.content, str):
            raise invalid_content("must be a string")
        return transport

    def to_domain(self, session: Session, correlation_id: str) -> requests.NewMessage:
        """Check the rest. Raises Refusal."""
        text = _checked(str(self.content))
        metadata = to_metadata(self.metadata)
        attachments = to_attachments(self.attachments)
        return requests.NewMessage(
            session_id=session.id,
            content=_seen(text, attachments),
            correlation_id=correlation_id,
            author_id=session.user_id,
            metadata=metadata,
            attachments=attachments,
            in_time=True,
            origin=ORIGIN,
        )


def _transport(given: object) -> Transport:
    if given is None:
        return Transport.WEBSOCKET
    if not isinstance(given, str):
        raise invalid_transport("Transport must be a string")
    if given not in _TRANSPORTS:
        allowed = ", ".join(Transport)
        raise invalid_transport(f"Invalid transport '{given[:_MAX_ECHO]}': use one of {allowed}")
    return _TRANSPORTS[given]


def _checked(text: str) -> str:
    if not text:
        raise invalid_content("must not be empty")
    if len(text) > MAX_CONTENT:
        raise invalid_content(f"{len(text)} characters; at most {MAX_CONTENT} are allowed")
    return text


def _seen(text: str, attachments: tuple[JsonObject, ...]) -> Content:
    """Say what the agent sees."""
    if not attachments:
        return text
    return [{"type": "text", "text": text}, *map(to_block, attachments)]
