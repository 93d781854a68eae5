"""Whatever was raised, as an error of the domain: the one place that knows every raiser."""

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from shared.domain.errors import (
    InternalError,
    InturnError,
    MethodNotAllowed,
    UnknownRoute,
)

log = structlog.get_logger(__name__)


def as_domain_error(raised: Exception) -> InturnError | None:
    """Translate; null when there is nobody left to answer."""
    match raised:
        case InturnError():
            return raised
        case HTTPException(status_code=404):
            return UnknownRoute("No route has this path.")
        case HTTPException(status_code=405):
            return MethodNotAllowed("This route does not take this method.")
        case ClientDisconnect():
            return None
    log.error("request failed", exc_info=raised)
    return InternalError("Something went wrong on our side; the log has it.")
