"""Running an agent: what is asked of it, and how."""

from dataclasses import dataclass
from typing import Annotated, cast

import orjson
from pydantic import BaseModel, ConfigDict, WithJsonSchema

from ingress.dialects.powabase.wire.error import BadRequest
from ingress.dialects.powabase.wire.spelling import MAX_ID_CHARS, session_id
from ingress.fields import MAX_INPUTS_BYTES
from shared.domain.errors import NotFound, NotSupported
from shared.domain.jsontypes import JsonObject
from shared.ids import SessionId

MAX_WAIT_SECONDS = 300
MAX_CONTEXT_TOKENS = 100_000_000
_SOURCES = (
    "knowledge_bases",
    "runtime_knowledge_bases",
    "context_override",
    "context_items",
    "context_handler_id",
)
_NOTHING: tuple[object, ...] = (None, "", [])
_BOOLEAN = WithJsonSchema({"type": "boolean"})
_UNBUILT = "Not supported yet: refused, unless it is empty."
_LIST = WithJsonSchema({"type": "array", "items": {}, "maxItems": 0, "description": _UNBUILT})
_EMPTY = WithJsonSchema({"type": "string", "maxLength": 0, "description": _UNBUILT})


def _number(kind: str, least: float, most: float, description: str) -> WithJsonSchema:
    return WithJsonSchema(
        {"type": kind, "minimum": least, "maximum": most, "description": description}
    )


class RunAgent(BaseModel):
    """What to say to the agent; without a `session_id` a session begins with it."""

    model_config = ConfigDict(
        json_schema_extra={"required": ["message"], "example": {"message": "Hello!"}}
    )

    message: Annotated[object, WithJsonSchema({"type": "string", "minLength": 1})] = None
    session_id: Annotated[object, WithJsonSchema({"type": "string", "maxLength": MAX_ID_CHARS})] = (
        None
    )
    reasoning_requested: Annotated[object, _BOOLEAN] = None
    timeout_seconds: Annotated[
        object, _number("number", 1, MAX_WAIT_SECONDS, "How long the answer is waited for.")
    ] = None
    temperature: Annotated[object, _number("number", 0, 2, "For agents that ask a model.")] = None
    response_format: Annotated[
        object,
        WithJsonSchema(
            {"type": "object", "additionalProperties": True, "x-max-bytes": MAX_INPUTS_BYTES}
        ),
    ] = None
    max_context_tokens: Annotated[
        object, _number("integer", 1, MAX_CONTEXT_TOKENS, "For agents that ask a model.")
    ] = None
    citations_enabled: Annotated[object, _BOOLEAN] = None
    knowledge_bases: Annotated[object, _LIST] = None
    runtime_knowledge_bases: Annotated[object, _LIST] = None
    context_override: Annotated[object, _EMPTY] = None
    context_items: Annotated[object, _LIST] = None
    context_handler_id: Annotated[object, _EMPTY] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What was asked, checked. `options` are kept with the run, for agents that ask a model."""

    message: str
    session_id: SessionId | None
    reasoning: bool | None
    seconds: float | None
    options: JsonObject


def read(body: RunAgent, max_chars: int, *, streams: bool) -> Asked:
    """Check a request. Raises BadRequest, NotSupported, and NotFound for what it names."""
    if not isinstance(body.message, str) or not body.message.strip():
        raise BadRequest("message is required", "message")
    if len(body.message) > max_chars:
        raise BadRequest(f"message must be at most {max_chars} characters", "message")
    _check_sources(body, streams=streams)
    return Asked(
        message=body.message,
        session_id=_session(body.session_id),
        reasoning=_boolean("reasoning_requested", body.reasoning_requested),
        seconds=_between("timeout_seconds", body.timeout_seconds, 1, MAX_WAIT_SECONDS),
        options=_options(body),
    )


def _check_sources(body: RunAgent, *, streams: bool) -> None:
    """Where the answer would be grounded: what cannot be done is said, never left out."""
    given = [name for name in _SOURCES if getattr(body, name) not in _NOTHING]
    if len(given) > 1:
        raise BadRequest(f"Only one context source may be given: {', '.join(given)}", *given[:1])
    if "context_handler_id" in given:
        raise NotFound("context handler")
    if "runtime_knowledge_bases" in given and not streams:
        told = "runtime_knowledge_bases is only supported by run/stream"
        raise BadRequest(told, "runtime_knowledge_bases")
    if given:
        raise NotSupported(("body", given[0]))


def _session(given: object) -> SessionId | None:
    if given is None:
        return None
    if not isinstance(given, str):
        raise BadRequest("session_id must be a string", "session_id")
    return session_id(given)


def _options(body: RunAgent) -> JsonObject:
    tokens = _between("max_context_tokens", body.max_context_tokens, 1, MAX_CONTEXT_TOKENS)
    if tokens is not None and not isinstance(tokens, int):
        raise BadRequest("max_context_tokens must be an integer", "max_context_tokens")
    given: JsonObject = {
        "temperature": _between("temperature", body.temperature, 0, 2),
        "response_format": _object("response_format", body.response_format),
        "max_context_tokens": tokens,
        "citations_enabled": _boolean("citations_enabled", body.citations_enabled),
    }
    return {name: value for name, value in given.items() if value is not None}


def _boolean(field: str, given: object) -> bool | None:
    if given is None or isinstance(given, bool):
        return given
    raise BadRequest(f"{field} must be a boolean", field)


def _between(field: str, given: object, least: float, most: float) -> float | None:
    if given is None:
        return None
    if isinstance(given, int | float) and not isinstance(given, bool) and least <= given <= most:
        return given
    raise BadRequest(f"{field} must be a number from {least} to {most}", field)


def _object(field: str, given: object) -> JsonObject | None:
    if given is not None and not isinstance(given, dict):
        raise BadRequest(f"{field} must be an object", field)
    if given is not None and len(orjson.dumps(given)) > MAX_INPUTS_BYTES:
        raise BadRequest(f"{field} must be at most {MAX_INPUTS_BYTES} bytes as JSON", field)
    return cast("JsonObject | None", given)


class Approve(BaseModel):
    """A human's word on all that the run waits for."""

    model_config = ConfigDict(
        json_schema_extra={"required": ["approved"], "example": {"approved": True}}
    )

    approved: Annotated[object, _BOOLEAN] = None

    def word(self) -> bool:
        """Return it. Raises BadRequest."""
        if not isinstance(self.approved, bool):
            raise BadRequest("approved must be a boolean", "approved")
        return self.approved
