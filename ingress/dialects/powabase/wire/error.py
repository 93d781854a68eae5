"""Errors as this contract tells them: `{"error": "<message>"}`."""

from http import HTTPStatus

import orjson
from pydantic import BaseModel
from starlette.responses import Response

from ingress.statuses import Statuses, error_headers, sentence, status_of
from shared.domain import errors
from shared.domain.errors import (
    FieldError,
    InturnError,
    NotFound,
    NotSupported,
    Unauthenticated,
    ValidationFailed,
)

SERVICE_ROLE = "This endpoint requires the project's service role key"
_STATUS: Statuses = {
    errors.ValidationFailed: HTTPStatus.BAD_REQUEST,
    errors.IdempotencyKeyReused: HTTPStatus.BAD_REQUEST,
    errors.SessionEnded: HTTPStatus.NOT_FOUND,
}
_TOKENS = {
    "missing": "Authorization header required",
    "empty": "Authorization header required",
    "scheme": "Authorization header required",
    "expired": "Token has expired",
    "audience": "Invalid token audience",
}
_INVALID = "Invalid token: "


class Problem(BaseModel):
    """What every error answers."""

    error: str


class BadRequest(ValidationFailed):
    """A wrong field, told in the contract's own sentence."""

    def __init__(self, told: str, *loc: str | int) -> None:
        super().__init__((FieldError(("body", *loc), told),), told)


class NothingToDecide(NotFound):
    """No run of this id waits for a human."""

    def __init__(self) -> None:
        super().__init__("run that waits for approval")


def render_error(error: InturnError, _: str) -> Response:
    status = status_of(error, _STATUS)
    body = orjson.dumps({"error": told(error)})
    return Response(body, status, error_headers(error, status), media_type="application/json")


def told(error: InturnError) -> str:
    """Say what is wrong in the contract's words, where it has any."""
    match error:
        case NothingToDecide():
            return "Run not found or not waiting for approval"
        case NotFound():
            return f"{error.noun.capitalize()} not found"
        case errors.SessionEnded():
            return "Session not found"
        case Unauthenticated():
            return _TOKENS.get(error.reason) or _INVALID + _reason(error)
        case BadRequest():
            return error.detail
        case NotSupported():
            return f"{error.errors[0].loc[-1]} is not supported yet; leave it out"
    return sentence(error)


def _reason(error: Unauthenticated) -> str:
    return error.detail.removeprefix(_INVALID).removesuffix(".")
