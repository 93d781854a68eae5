"""HTTP statuses of the domain's errors, and the headers that go with them."""

import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import TypeAlias

from shared.domain import errors
from shared.domain.errors import InturnError, ValidationFailed

Statuses: TypeAlias = Mapping[type[InturnError], HTTPStatus]

STATUS: Statuses = {
    errors.InvalidJson: HTTPStatus.BAD_REQUEST,
    errors.Unauthenticated: HTTPStatus.UNAUTHORIZED,
    errors.Forbidden: HTTPStatus.FORBIDDEN,
    errors.NotFound: HTTPStatus.NOT_FOUND,
    errors.UnknownRoute: HTTPStatus.NOT_FOUND,
    errors.MethodNotAllowed: HTTPStatus.METHOD_NOT_ALLOWED,
    errors.SessionEnded: HTTPStatus.CONFLICT,
    errors.SessionExpired: HTTPStatus.GONE,
    errors.RenewalRefused: HTTPStatus.UNPROCESSABLE_ENTITY,
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


def status_of(error: InturnError, own: Statuses | None = None) -> HTTPStatus:
    """Find the status of the nearest kind, in a dialect's `own` table first.

    What is in none is our fault.
    """
    for table in (own or {}, STATUS):
        for kind in type(error).__mro__:
            if kind in table:
                return table[kind]
    return HTTPStatus.INTERNAL_SERVER_ERROR


def error_headers(error: InturnError, status: HTTPStatus) -> dict[str, str]:
    """Say when to come back, or how to prove who you are."""
    if status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}:
        return {"Retry-After": str(max(1, math.ceil(error.retry_after or 1)))}
    if status is HTTPStatus.UNAUTHORIZED:
        return {"WWW-Authenticate": 'Bearer realm="inturn"'}
    return {}


def sentence(error: InturnError) -> str:
    """Say what is wrong in one line, for contracts that have room for no more."""
    if not isinstance(error, ValidationFailed):
        return error.detail
    return "; ".join(f"{_place(each.loc)}: {each.msg}" for each in error.errors)


_MAX_PLACE = 200


def _place(loc: tuple[str | int, ...]) -> str:
    inside = loc[1:] if len(loc) > 1 else loc
    return ".".join(map(str, inside))[:_MAX_PLACE]
