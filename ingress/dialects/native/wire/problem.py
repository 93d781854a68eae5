"""Errors on the wire: RFC 9457, `application/problem+json`."""

import math
from http import HTTPStatus

import orjson
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from shared.domain import errors
from shared.domain.errors import FieldError, InturnError, ValidationFailed
from shared.domain.jsontypes import Json, JsonObject

MEDIA_TYPE = "application/problem+json"

STATUS: dict[type[InturnError], HTTPStatus] = {
    errors.InvalidJson: HTTPStatus.BAD_REQUEST,
    errors.Unauthenticated: HTTPStatus.UNAUTHORIZED,
    errors.Forbidden: HTTPStatus.FORBIDDEN,
    errors.NotFound: HTTPStatus.NOT_FOUND,
    errors.UnknownRoute: HTTPStatus.NOT_FOUND,
    errors.MethodNotAllowed: HTTPStatus.METHOD_NOT_ALLOWED,
    errors.SessionEnded: HTTPStatus.CONFLICT,
    errors.SessionBusy: HTTPStatus.CONFLICT,
    errors.AgentExists: HTTPStatus.CONFLICT,
    errors.AgentFromFile: HTTPStatus.CONFLICT,
    errors.PreconditionRequired: HTTPStatus.PRECONDITION_REQUIRED,
    errors.PreconditionFailed: HTTPStatus.PRECONDITION_FAILED,
    errors.NotRetryable: HTTPStatus.CONFLICT,
    errors.NotWaiting: HTTPStatus.CONFLICT,
    errors.WebhookDisabled: HTTPStatus.CONFLICT,
    errors.TooManyWebhooks: HTTPStatus.CONFLICT,
    errors.KeyEnded: HTTPStatus.CONFLICT,
    errors.PayloadTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.UnsupportedMediaType: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    errors.ValidationFailed: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.IdempotencyKeyReused: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.SessionQueueFull: HTTPStatus.TOO_MANY_REQUESTS,
    errors.RateLimited: HTTPStatus.TOO_MANY_REQUESTS,
    errors.QueueFull: HTTPStatus.TOO_MANY_REQUESTS,
    errors.Overloaded: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}
_MAX_PART = 100


class Place(BaseModel):
    """One wrong field."""

    loc: list[str | int]
    msg: str


class Problem(BaseModel):
    """What every error answers; `code` is stable, one per kind of error."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "type": "urn:inturn:problem:not_found",
                "title": "Not found",
                "status": 404,
                "detail": "No such session.",
                "code": "not_found",
                "correlation_id": "0198c0de5e557c0de0000000c0ffee01",
            }
        }
    )

    type: str
    title: str
    status: int
    detail: str
    code: str
    correlation_id: str
    errors: list[Place] | None = None


def render_error(error: InturnError, correlation_id: str) -> Response:
    status = status_of(error)
    body: JsonObject = {
        "type": f"urn:inturn:problem:{error.code}",
        "title": error.code.replace("_", " ").capitalize(),
        "status": status,
        "detail": error.detail,
        "code": error.code,
        "correlation_id": correlation_id,
    }
    if isinstance(error, ValidationFailed):
        body["errors"] = places(error)
    return Response(orjson.dumps(body), status, headers(error, status), media_type=MEDIA_TYPE)


def status_of(error: InturnError) -> HTTPStatus:
    """Find the status of the nearest kind in the table; what is in none is our fault."""
    known = (STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
    return next(known, HTTPStatus.INTERNAL_SERVER_ERROR)


def headers(error: InturnError, status: HTTPStatus) -> dict[str, str]:
    """Say when to come back, or how to prove who you are."""
    if status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}:
        return {"Retry-After": str(max(1, math.ceil(error.retry_after or 1)))}
    if status is HTTPStatus.UNAUTHORIZED:
        return {"WWW-Authenticate": 'Bearer realm="inturn"'}
    return {}


def places(error: ValidationFailed) -> list[Json]:
    """Print which fields are wrong."""
    return [_place(each) for each in error.errors]


def _place(field: FieldError) -> JsonObject:
    loc = [part[:_MAX_PART] if isinstance(part, str) else part for part in field.loc]
    return {"loc": list(loc), "msg": field.msg}
