"""Errors as this contract tells them: `{"error": {"code", "message", "timestamp", ...}}`."""

import orjson
from pydantic import BaseModel
from starlette.responses import Response

from ingress.statuses import error_headers, sentence, status_of
from shared.clock import iso, wall
from shared.domain.errors import InturnError


class ProblemDetail(BaseModel):
    """What went wrong."""

    code: str
    message: str
    timestamp: str
    details: dict[str, object] | None = None


class Problem(BaseModel):
    """What every error answers."""

    error: ProblemDetail


def render_error(error: InturnError, _: str) -> Response:
    status = status_of(error)
    told = {"code": error.code.upper(), "message": sentence(error), "timestamp": iso(wall())}
    body = orjson.dumps({"error": told})
    return Response(body, status, error_headers(error, status), media_type="application/json")
