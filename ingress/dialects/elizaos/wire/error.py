"""Errors as this contract tells them: `{"error": {"code", "message", "timestamp", "details"?}}`."""

from http import HTTPStatus

import orjson
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from ingress.dialects.elizaos.wire.refusal import UNEXPECTED, Refusal
from ingress.fields import Timestamp
from ingress.statuses import Statuses, error_headers, sentence, status_of
from shared.clock import SECOND, iso, wall
from shared.domain import errors
from shared.domain.errors import InturnError, RenewalRefused, SessionExpired, ValidationFailed
from shared.domain.jsontypes import Json, JsonObject

_STATUS: Statuses = {
    errors.MethodNotAllowed: HTTPStatus.NOT_FOUND,
    errors.UnsupportedMediaType: HTTPStatus.BAD_REQUEST,
    errors.ValidationFailed: HTTPStatus.BAD_REQUEST,
    errors.IdempotencyKeyReused: HTTPStatus.BAD_REQUEST,
}

_CODES: dict[type[InturnError], str] = {
    errors.UnsupportedMediaType: "INVALID_CONTENT_TYPE",
    errors.SessionExpired: "SESSION_EXPIRED",
    errors.RenewalRefused: "SESSION_RENEWAL_FAILED",
}
_CODES_BY_STATUS = {
    HTTPStatus.BAD_REQUEST: "VALIDATION_ERROR",
    HTTPStatus.UNAUTHORIZED: "UNAUTHORIZED",
    HTTPStatus.FORBIDDEN: "FORBIDDEN",
    HTTPStatus.NOT_FOUND: "NOT_FOUND",
    HTTPStatus.CONFLICT: "CONFLICT",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "PAYLOAD_TOO_LARGE",
    HTTPStatus.TOO_MANY_REQUESTS: "RATE_LIMIT_EXCEEDED",
    HTTPStatus.SERVICE_UNAVAILABLE: "SERVICE_UNAVAILABLE",
}


class ProblemDetail(BaseModel):
    """What went wrong; `details` depend on the code."""

    code: str
    message: str
    timestamp: Timestamp
    details: dict[str, object] | None = None


class Problem(BaseModel):
    """What every error answers."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "error": {
                    "code": "SESSION_NOT_FOUND",
                    "message": "Session with ID '0198c0de-5e55-7c0d-a000-0000c0ffee01' not found",
                    "timestamp": "2026-01-01T00:00:00.000Z",
                    "details": {"sessionId": "0198c0de-5e55-7c0d-a000-0000c0ffee01"},
                }
            }
        }
    )

    error: ProblemDetail


def render_error(error: InturnError, _: str) -> Response:
    status = error.status if isinstance(error, Refusal) else status_of(error, _STATUS)
    body = orjson.dumps({"error": told(error, status)})
    return Response(body, status, error_headers(error, status), media_type="application/json")


def told(error: InturnError, status: HTTPStatus) -> JsonObject:
    """Print what goes below `error`."""
    code, message, details = _words(error, status)
    body: dict[str, Json] = {"code": code, "message": message, "timestamp": iso(wall())}
    return body if details is None else body | {"details": details}


def _words(error: InturnError, status: HTTPStatus) -> tuple[str, str, JsonObject | None]:
    match error:
        case Refusal():
            return error.told_code, error.detail, error.details
        case SessionExpired():
            at = iso(error.expires_at)
            details: JsonObject = {"sessionId": str(error.session_id), "expiresAt": at}
            return _CODES[SessionExpired], f"Session '{error.session_id}' expired at {at}", details
        case RenewalRefused():
            message = f"Cannot renew session '{error.session_id}': Maximum duration reached"
            return _CODES[RenewalRefused], message, _longest(error)
        case ValidationFailed():
            return "VALIDATION_ERROR", sentence(error), None
    if status is HTTPStatus.INTERNAL_SERVER_ERROR:
        return "INTERNAL_SERVER_ERROR", UNEXPECTED, None
    return _CODES.get(type(error)) or _CODES_BY_STATUS[status], error.detail, None


def _longest(error: RenewalRefused) -> JsonObject:
    """Say how long it may live, in minutes, and has, in milliseconds."""
    lifetime = error.lifetime
    return {
        "maxDuration": lifetime.expiry.max_duration_minutes,
        "createdAt": iso(lifetime.begun_at),
        "timeSinceCreation": (error.now - lifetime.begun_at) * 1000 // SECOND,
    }
