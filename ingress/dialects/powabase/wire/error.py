"""Errors as this contract tells them: `{"error": "<message>"}`."""

import orjson
from pydantic import BaseModel
from starlette.responses import Response

from ingress.statuses import error_headers, sentence, status_of
from shared.domain.errors import InturnError


class Problem(BaseModel):
    """What every error answers."""

    error: str


def render_error(error: InturnError, _: str) -> Response:
    status = status_of(error)
    body = orjson.dumps({"error": sentence(error)})
    return Response(body, status, error_headers(error, status), media_type="application/json")
