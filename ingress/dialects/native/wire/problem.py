"""Errors on the wire: RFC 9457, `application/problem+json`."""

import orjson
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from ingress.statuses import error_headers, status_of
from shared.domain.errors import FieldError, InturnError, ValidationFailed
from shared.domain.jsontypes import Json, JsonObject

MEDIA_TYPE = "application/problem+json"

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
    return Response(orjson.dumps(body), status, error_headers(error, status), media_type=MEDIA_TYPE)


def places(error: ValidationFailed) -> list[Json]:
    """Print which fields are wrong."""
    return [_place(each) for each in error.errors]


def _place(field: FieldError) -> JsonObject:
    loc = [part[:_MAX_PART] if isinstance(part, str) else part for part in field.loc]
    return {"loc": list(loc), "msg": field.msg}
