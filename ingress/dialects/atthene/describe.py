"""Words that route decorators share in the OpenAPI document."""

from typing import Any, TypeAlias

from ingress.dialects.atthene.wire.error import Problem
from ingress.openapi import failure

Responses: TypeAlias = dict[int | str, dict[str, Any]]


def problems(*statuses: int) -> Responses:
    """Describe the errors that a route adds to those that every route can answer."""
    return {status: failure(status, Problem) for status in statuses}
