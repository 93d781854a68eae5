"""Words that route decorators share in the OpenAPI document."""

from http import HTTPStatus
from typing import Any, TypeAlias

from pydantic import BaseModel

from ingress.dialects.native.wire.problem import MEDIA_TYPE
from ingress.rates import LIMIT, POLICY

Description: TypeAlias = dict[str, Any]
Responses: TypeAlias = dict[int | str, Description]

_PROBLEM: Description = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}


_AGAIN: Description = {
    "Retry-After": {
        "description": "Seconds after which to ask again.",
        "schema": {"type": "integer", "minimum": 1},
    }
}
# Response headers of what is under a rate.
RATES: Description = {
    LIMIT: {
        "description": "What is left, a list of policies: `r` messages more may come at once, and "
        "one more than that in `t` seconds. Absent where no rate is set.",
        "schema": {"type": "string"},
        "example": '"key";r=99;t=1, "session";r=9;t=6',
    },
    POLICY: {
        "description": "The rates of this key, session and user: `q` messages in `w` seconds, "
        "`inturn-burst` at once where that is another number.",
        "schema": {"type": "string"},
        "example": '"key";q=100;w=60, "session";q=10;w=60',
    },
}


def problem(status: int) -> Description:
    shown: Description = {"description": HTTPStatus(status).phrase, "content": _PROBLEM}
    again = status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}
    return shown | ({"headers": dict(_AGAIN)} if again else {})


def problems(*statuses: int) -> Responses:
    """Describe the errors that a route adds to those that every route can answer."""
    return {status: problem(status) for status in statuses}


def also(status: int, model: type[BaseModel] | None, description: str) -> Responses:
    """Describe a second way to succeed."""
    shown: Description = {"description": description}
    return {status: shown | ({"model": model} if model else {})}
