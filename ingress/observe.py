"""Request metrics, by dialect and route template: never by path, which holds ids."""

from functools import lru_cache
from http import HTTPMethod

from prometheus_client import Counter, Histogram
from starlette.types import Scope

from shared.telemetry import REQUEST_SECONDS, REQUESTS

_METHODS = frozenset(HTTPMethod)
_MANY = 4096  # more label sets than there are routes, methods and statuses


def observe(dialect: str, scope: Scope, status: int, seconds: float) -> None:
    """Count one request and how long its answer took."""
    template = getattr(scope.get("route"), "path_format", "unmatched")
    method = scope["method"] if scope["method"] in _METHODS else "other"
    _requests(dialect, template, method, status).inc()
    _seconds(dialect, template).observe(seconds)


# Finding a child by its labels costs more than counting in it.
@lru_cache(_MANY)
def _requests(dialect: str, template: str, method: str, status: int) -> Counter:
    return REQUESTS.labels(dialect, template, method, str(status))


@lru_cache(_MANY)
def _seconds(dialect: str, template: str) -> Histogram:
    return REQUEST_SECONDS.labels(dialect, template)
