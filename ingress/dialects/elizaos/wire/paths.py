"""Ids in paths: nobody has to know what they look like."""

from typing import Annotated, Any

from fastapi import Path
from pydantic import BeforeValidator, WithJsonSchema

from ingress.deps import reader
from ingress.dialects.elizaos.wire.refusal import session_not_found
from shared.ids import SessionId

_SCHEMA: dict[str, Any] = {
    "type": "string",
    "description": "The id of a session. One that cannot be an id is simply not found.",
    "examples": ["0198c0de-5e55-7c0d-a000-0000c0ffee01"],
}
_read = reader("sess")

SessionPath = Annotated[SessionId, BeforeValidator(_read), WithJsonSchema(_SCHEMA), Path()]
# For a route that looks at its body first.
SessionGiven = Annotated[str, WithJsonSchema(_SCHEMA), Path()]


def to_session_id(given: str) -> SessionId:
    """Read an id in either spelling. Raises Refusal."""
    try:
        return SessionId(_read(given))
    except ValueError:
        raise session_not_found(given) from None
