"""A session's state on the wire, and which version of it a caller has seen."""

import re
from collections.abc import Sequence
from typing import cast

from pydantic import BaseModel, ConfigDict, Field, field_validator

from ingress.dialects.native.wire.fields import Body
from ingress.fields import Inputs
from shared.domain.errors import PreconditionRequired
from shared.domain.jsontypes import JsonObject

# Nothing is looked at twice: a header may be long, and a transaction waits for this.
_TAG = re.compile(r'((?:W/)?"[\x21\x23-\x7e\x80-\xff]*")\s*+(?:,|$)')


class State(BaseModel):
    """What a session keeps beside its messages."""

    memory: dict[str, object]
    tools: dict[str, dict[str, object]]


class StatePatch(Body):
    """A merge patch (RFC 7396) of the state: objects merge, null removes."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"memory": {"name": "Ada"}, "tools": {"search": {"n": 5}}}}
    )

    memory: Inputs | None = Field(default=None, description="Working memory.")
    tools: Inputs | None = Field(
        default=None, description="Each tool's persistent configuration, a JSON object, by name."
    )

    @field_validator("tools")
    @classmethod
    def _objects(cls, tools: dict[str, object] | None) -> dict[str, object] | None:
        for name, configuration in (tools or {}).items():
            if configuration is not None and not isinstance(configuration, dict):
                message = f"the configuration of {name[:100]!r} is not an object"
                raise ValueError(message)
        return tools

    def to_patch(self) -> JsonObject:
        """Return what was given."""
        patch = self.model_dump(exclude_unset=True, exclude={"correlation_id"})
        return cast("JsonObject", patch)


def state_etag(version: int) -> str:
    """Name one version of a state."""
    return f'"state-{version}"'


def seen(if_match: Sequence[str], version: int) -> bool:
    """Tell whether the caller has seen this version (RFC 9110, 13.1.1).

    Raises PreconditionRequired.
    """
    header = ",".join(if_match).strip()
    if not header:
        raise PreconditionRequired("Send the `ETag` of the state that you read as `If-Match`.")
    return header == "*" or state_etag(version) in _TAG.findall(header)
