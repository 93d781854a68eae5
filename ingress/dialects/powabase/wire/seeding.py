"""A session that begins with what was said elsewhere."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import BaseModel, ConfigDict, WithJsonSchema

from ingress.dialects.powabase.wire.error import BadRequest
from ingress.dialects.powabase.wire.spelling import ORIGIN
from ingress.fields import as_uuid
from shared.domain.errors import Forbidden
from shared.domain.message import Content, Role
from shared.domain.principal import Principal, Scope
from shared.domain.requests import NewSession
from shared.ids import AgentId, spell

MAX_MESSAGES, MAX_CHARS, MAX_USER_CHARS = 200, 20_000, 255
_FIELD = "initial_messages"
_KEYS = {"role", "content"}
_PAIR = {
    "type": "object",
    "properties": {
        "role": {"type": "string", "enum": ["user", "assistant"]},
        "content": {"type": "string", "minLength": 1, "maxLength": MAX_CHARS},
    },
    "required": ["role", "content"],
    "example": {"role": "user", "content": "Hello"},
}


class AgentSession(BaseModel):
    """Whose it is, which only a service key says, and pairs of a question and its answer."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "initial_messages": [
                    {"role": "user", "content": "Hello"},
                    {"role": "assistant", "content": "Hello back"},
                ]
            }
        }
    )

    user_id: Annotated[
        object, WithJsonSchema({"type": "string", "minLength": 1, "maxLength": MAX_USER_CHARS})
    ] = None
    initial_messages: Annotated[
        object, WithJsonSchema({"type": "array", "items": _PAIR, "maxItems": MAX_MESSAGES})
    ] = None

    def to_domain(self, principal: Principal, agent_id: AgentId, correlation_id: str) -> NewSession:
        """Translate. Raises BadRequest, and Forbidden for a user that names one."""
        if self.user_id is not None and principal.scope is Scope.USER:
            raise Forbidden("Service role required to set user_id")
        return NewSession(
            agent=spell("agent", agent_id),
            user_id=_user(self.user_id),
            correlation_id=correlation_id,
            origin=ORIGIN,
            initial_messages=tuple(_pairs(self.initial_messages)),
        )


def _user(given: object) -> str | None:
    if given is None:
        return None
    if not isinstance(given, str) or not 1 <= len(given) <= MAX_USER_CHARS:
        raise BadRequest(f"user_id must be a string of 1 to {MAX_USER_CHARS} characters", "user_id")
    return str(as_uuid(given) or given)


def _pairs(given: object) -> Iterator[tuple[Role, Content]]:
    if given is None:
        return
    if not isinstance(given, list):
        raise BadRequest(f"{_FIELD} must be a list", _FIELD)
    if len(given) > MAX_MESSAGES:
        raise BadRequest(f"{_FIELD} must have at most {MAX_MESSAGES} messages", _FIELD)
    if len(given) % 2:
        raise BadRequest(f"{_FIELD} must have an even number of messages", _FIELD)
    for index, message in enumerate(given):
        role = Role.ASSISTANT if index % 2 else Role.USER
        yield role, _content(message, role, index)


def _content(message: object, role: Role, index: int) -> str:
    at = f"{_FIELD}[{index}]"
    if not isinstance(message, dict):
        raise BadRequest(f"{at} must be an object", _FIELD, index)
    if unknown := sorted(message.keys() - _KEYS):
        raise BadRequest(f"{at} has an unknown field: {unknown[0][:100]}", _FIELD, index)
    if message.get("role") != role:
        raise BadRequest(f"{at}.role must be '{role}'", _FIELD, index, "role")
    content = message.get("content")
    if not isinstance(content, str) or not content.strip():
        raise BadRequest(f"{at}.content must be a non-empty string", _FIELD, index, "content")
    if len(content) > MAX_CHARS:
        told = f"{at}.content must be at most {MAX_CHARS} characters"
        raise BadRequest(told, _FIELD, index, "content")
    return content
