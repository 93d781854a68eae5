"""Errors as this contract tells them: `{"error": {"type", "message", ...}}`."""

import orjson
from pydantic import BaseModel
from starlette.responses import Response

from ingress.statuses import error_headers, sentence, status_of
from shared.domain.errors import InturnError


class ProblemDetail(BaseModel):
    """What went wrong."""

    type: str
    message: str
    correlation_id: str | None = None
    details: dict[str, object] | None = None


class Problem(BaseModel):
    """What every error answers."""

    error: ProblemDetail


def render_error(error: InturnError, correlation_id: str) -> Response:
    status = status_of(error)
    told = {"type": error.code, "message": sentence(error), "correlation_id": correlation_id}
    body = orjson.dumps({"error": told})
    return Response(body, status, error_headers(error, status), media_type="application/json")
