"""Words that route decorators share in the OpenAPI document."""

from http import HTTPStatus
from typing import Any, TypeAlias

from pydantic import BaseModel

from ingress.dialects.native.wire.problem import MEDIA_TYPE

Description: TypeAlias = dict[str, Any]
Responses: TypeAlias = dict[int | str, Description]

_PROBLEM: Description = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}


def problem(status: int) -> Description:
    return {"description": HTTPStatus(status).phrase, "content": _PROBLEM}


def problems(*statuses: int) -> Responses:
    """Describe the errors that a route adds to those that every route can answer."""
    return {status: problem(status) for status in statuses}


def also(status: int, model: type[BaseModel] | None, description: str) -> Responses:
    """Describe a second way to succeed."""
    shown: Description = {"description": description}
    return {status: shown | ({"model": model} if model else {})}
