"""Errors as this contract tells them: `{"error": {"type", "message", ...}}`."""

from http import HTTPStatus

import orjson
from pydantic import BaseModel
from starlette.responses import Response

from ingress.statuses import Statuses, error_headers, sentence, status_of
from shared.domain import errors
from shared.domain.errors import InturnError, NotFound, ValidationFailed
from shared.domain.jsontypes import Json, JsonObject

_STATUS: Statuses = {
    errors.ValidationFailed: HTTPStatus.BAD_REQUEST,
    errors.IdempotencyKeyReused: HTTPStatus.BAD_REQUEST,
    errors.SessionEnded: HTTPStatus.NOT_FOUND,
}
_TYPES = {
    HTTPStatus.BAD_REQUEST: "invalid_request_error",
    HTTPStatus.UNAUTHORIZED: "authentication_error",
    HTTPStatus.FORBIDDEN: "permission_error",
    HTTPStatus.NOT_FOUND: "not_found_error",
    HTTPStatus.METHOD_NOT_ALLOWED: "invalid_request_error",
    HTTPStatus.CONFLICT: "conflict_error",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "payload_too_large_error",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "invalid_request_error",
    HTTPStatus.TOO_MANY_REQUESTS: "rate_limit_error",
}
_OURS = "api_error"


class WrongField(BaseModel):
    """A field that is wrong: where it is, and what is allowed."""

    field: str
    message: str


class Details(BaseModel):
    """Each field that is wrong."""

    errors: list[WrongField]


class ProblemDetail(BaseModel):
    """What went wrong; `details` are there where fields are wrong."""

    type: str
    message: str
    correlation_id: str | None = None
    details: Details | None = None


class Problem(BaseModel):
    """What every error answers."""

    error: ProblemDetail


def render_error(error: InturnError, correlation_id: str) -> Response:
    error = _meant(error)
    status = status_of(error, _STATUS)
    told: JsonObject = {
        "type": _TYPES.get(status, _OURS),
        "message": sentence(error),
        "correlation_id": correlation_id,
    }
    if isinstance(error, ValidationFailed):
        told["details"] = {"errors": _fields(error)}
    body = orjson.dumps({"error": told})
    return Response(body, status, error_headers(error, status), media_type="application/json")


def _meant(error: InturnError) -> InturnError:
    """Say of an id that is none what is said of one that is unknown."""
    malformed = isinstance(error, ValidationFailed) and error.errors[0].loc[0] == "path"
    return NotFound("session") if malformed else error


def _fields(error: ValidationFailed) -> list[Json]:
    return [
        {"field": ".".join(map(str, each.loc[1:] or each.loc)), "message": each.msg}
        for each in error.errors
    ]
