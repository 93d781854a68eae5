"""Words that route decorators share in the OpenAPI document."""

from typing import Any, TypeAlias

from ingress.dialects.elizaos.wire.error import Problem
from ingress.openapi import failure

Responses: TypeAlias = dict[int | str, dict[str, Any]]

STREAM: Responses = {
    200: {
        "description": "With `transport: sse`: the events `user_message`, `chunk`s of the answer, "
        "and `done` with the whole of it, or `error`.",
        "content": {"text/event-stream": {}},
    }
}


def problems(*statuses: int) -> Responses:
    """Describe the errors that a route adds to those that every route can answer."""
    return {status: failure(status, Problem) for status in statuses}
