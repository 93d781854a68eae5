"""The door: what happens to every request, whatever its route."""

import re
from collections.abc import Sequence

import structlog
from starlette.routing import Match
from starlette.types import Message, Receive, Scope, Send

from ingress.body import header
from ingress.call import CORRELATION_ID, PLATFORM
from ingress.dialects import Dialect
from ingress.failures import as_domain_error
from ingress.observe import observe
from ingress.rates import rate_headers
from shared.bootstrap import Platform
from shared.clock import monotonic
from shared.domain.errors import MethodNotAllowed, Unavailable, ValidationFailed
from shared.ids import new_id

CORRELATION_HEADER = b"x-correlation-id"
_VISIBLE = re.compile(rb"[\x21-\x7e]{1,128}")
_NO_ANSWER = 499  # for metrics: the client left first


class Door:
    """Finds the dialect, gives a correlation id, and answers for whatever is raised inside."""

    def __init__(self, dialects: Sequence[Dialect]) -> None:
        self.platform: Platform | None = None
        self._dialects = dialects

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["path"].endswith("/") and scope["path"] != "/":
            scope["path"] = scope["path"][:-1]
        spoken = (each for each in self._dialects if each.speaks_for(scope["path"]))
        dialect = next(spoken, self._dialects[-1])  # `OPTIONS *` names no path at all
        answer = _Answer(scope, send)
        started = monotonic()
        try:
            self._prepare(scope)
            await dialect.router(scope, receive, answer)
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller gets an answer
            await _apologise(error, dialect, scope, receive, answer)
        finally:
            observe(dialect.name, scope, answer.status, monotonic() - started)

    def _prepare(self, scope: Scope) -> None:
        scope[CORRELATION_ID] = new_id().hex
        given = header(scope, CORRELATION_HEADER)
        if given and not _VISIBLE.fullmatch(given):
            where = ("header", "X-Correlation-ID")
            raise ValidationFailed.of(where, "1 to 128 visible ASCII characters")
        if given:
            scope[CORRELATION_ID] = given.decode("ascii")
        structlog.contextvars.bind_contextvars(correlation_id=scope[CORRELATION_ID])
        if self.platform is None:
            raise Unavailable("This process is starting or stopping.", retry_after=1)
        scope[PLATFORM] = self.platform
        scope["app"] = self  # Starlette then raises for 404 and 405 instead of answering them


class _Answer:
    """Sends, adding the correlation id, and remembers the status."""

    __slots__ = ("_scope", "_send", "status")

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope = scope
        self._send = send
        self.status = _NO_ANSWER

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            correlation_id = self._scope[CORRELATION_ID].encode("ascii")
            message["headers"] = [*message["headers"], (CORRELATION_HEADER, correlation_id)]
        await self._send(message)


async def _apologise(
    raised: Exception, dialect: Dialect, scope: Scope, receive: Receive, answer: _Answer
) -> None:
    error = as_domain_error(raised)
    if error is None or answer.status != _NO_ANSWER:
        return
    response = dialect.render_error(error, scope[CORRELATION_ID])
    response.headers.update(rate_headers(error.allowances))
    if isinstance(error, MethodNotAllowed):
        response.headers["Allow"] = ", ".join(_methods(dialect, scope))
    await response(scope, receive, answer)


def _methods(dialect: Dialect, scope: Scope) -> list[str]:
    """Collect what every route of this path takes, not only the first."""
    found: set[str] = set()
    for route in dialect.router.routes:
        if route.matches(scope)[0] is not Match.NONE:
            found |= getattr(route, "methods", None) or set()
    return sorted(found)
