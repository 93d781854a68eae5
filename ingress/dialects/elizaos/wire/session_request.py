"""Sessions on the wire: what callers ask for."""

from dataclasses import dataclass
from typing import Annotated

import orjson
from pydantic import BaseModel, ConfigDict, WithJsonSchema

from ingress.dialects.elizaos.wire.refusal import invalid_metadata, invalid_uuid, missing_fields
from ingress.dialects.elizaos.wire.timeout import TimeoutWish, to_wish
from ingress.fields import as_uuid, json_object, user_uuid
from shared.domain import requests
from shared.domain.agent import agent_id_of
from shared.domain.jsontypes import JsonObject
from shared.domain.lifetime import Expiry, Wish
from shared.domain.principal import Principal, Scope
from shared.ids import parse

ORIGIN = "elizaos"
MAX_METADATA_BYTES = 10 * 1024
_TYPED_AGENT = len("agent_") + 32

MetadataField = Annotated[
    object,
    WithJsonSchema(
        {
            "anyOf": [{"type": "object", "additionalProperties": True}, {"type": "null"}],
            "description": f"A JSON object of at most {MAX_METADATA_BYTES} bytes.",
        }
    ),
]


def _uuid(whose: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "format": "uuid", "description": whose})


class NewSession(BaseModel):
    """A conversation of a user with an agent. What cannot be as wished is bounded, not refused."""

    model_config = ConfigDict(
        json_schema_extra={
            "required": ["agentId", "userId"],
            "example": {
                "agentId": str(agent_id_of("echo")),  # which always exists
                "userId": "0198c0de-5e55-7c0d-a000-0000c0ffee02",
                "metadata": {"platform": "web"},
                "timeoutConfig": {"timeoutMinutes": 60, "autoRenew": True},
            },
        }
    )

    agentId: Annotated[object, _uuid("Who answers.")] = None
    userId: Annotated[object, _uuid("Whose conversation it is.")] = None
    metadata: MetadataField = None
    timeoutConfig: Annotated[object, WithJsonSchema(TimeoutWish.model_json_schema())] = None

    def checked(self) -> "CheckedSession":
        """Check in the order of the contract. Raises Refusal."""
        for given in (self.agentId, self.userId):
            if given is None or given == "":
                raise missing_fields()
        agent, user = _agent(self.agentId), as_uuid(self.userId)
        if user is None:
            raise invalid_uuid("userId", self.userId)
        metadata = to_metadata(self.metadata)
        return CheckedSession(
            agent=agent, user=str(user), metadata=metadata, wish=to_wish(self.timeoutConfig)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedSession:
    """What is asked for, once it can be read; ids are as this contract prints them."""

    agent: str
    user: str
    metadata: JsonObject
    wish: Wish

    def to_domain(
        self, principal: Principal, expiry: Expiry, correlation_id: str
    ) -> requests.NewSession:
        return requests.NewSession(
            agent=self.agent,
            user_id=_user_id(principal, self.user),
            metadata=self.metadata,
            correlation_id=correlation_id,
            origin=ORIGIN,
            expiry=expiry,
        )


def _agent(given: object) -> str:
    agent = as_uuid(given)
    if agent is None and isinstance(given, str) and len(given) == _TYPED_AGENT:
        try:
            agent = parse("agent", given)
        except ValueError:
            agent = None
    if agent is None:
        raise invalid_uuid("agentId", given)
    return str(agent)


def _user_id(principal: Principal, user: str) -> str:
    """A user's own id may be no UUID: then the one that stands for it means that user."""
    own = principal.user_id
    if principal.scope is Scope.USER and own is not None and str(user_uuid(own)) == user:
        return own
    return user


def to_metadata(given: object) -> JsonObject:
    """Read metadata. Raises Refusal for what is no object, or too large."""
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise invalid_metadata("must be an object", given)
    size = len(orjson.dumps(given))
    if size > MAX_METADATA_BYTES:
        reason = f"{size} bytes as JSON; at most {MAX_METADATA_BYTES} are allowed"
        raise invalid_metadata(reason, given)
    return json_object(given)
