"""What the shapes of every dialect are made of."""

import re
from typing import Annotated, TypeAlias, cast
from uuid import UUID, uuid5

import orjson
from pydantic import AfterValidator, Field, StringConstraints, WithJsonSchema
from starlette.responses import Response

from shared.clock import Instant, iso
from shared.domain.jsontypes import JsonObject
from shared.ids import NAMESPACE

MAX_METADATA_BYTES = 16 * 1024
MAX_INPUTS_BYTES = 64 * 1024

Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
UserId = Annotated[str, StringConstraints(min_length=1, max_length=255)]
Sentence = Annotated[str, StringConstraints(max_length=1000)]
WebUrl = Annotated[
    str,
    StringConstraints(max_length=2048, pattern=r"^https?://"),
    Field(description="https or http, of a host on the public internet unless set up otherwise."),
]
CorrelationId = Annotated[
    str, StringConstraints(min_length=1, max_length=128, pattern=r"^[\x21-\x7e]*$")
]


def _object_of(limit: int) -> tuple[AfterValidator, WithJsonSchema]:
    def check(value: dict[str, object]) -> dict[str, object]:
        if len(orjson.dumps(value)) > limit:
            message = f"larger than {limit} bytes as JSON"
            raise ValueError(message)
        return value

    description = f"A JSON object of at most {limit} bytes."
    schema = {"type": "object", "additionalProperties": True, "description": description}
    return AfterValidator(check), WithJsonSchema({**schema, "x-max-bytes": limit})


Metadata = Annotated[dict[str, object], *_object_of(MAX_METADATA_BYTES)]
Inputs = Annotated[dict[str, object], *_object_of(MAX_INPUTS_BYTES)]

Timestamp: TypeAlias = Annotated[
    str, WithJsonSchema({"type": "string", "format": "date-time", "examples": [iso(Instant(0))]})
]


_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
NOBODY = UUID(int=0)


def as_uuid(text: object) -> UUID | None:
    """Read 8-4-4-4-12 hexadecimal digits in any case, of any version; null for all else."""
    return UUID(text) if isinstance(text, str) and _UUID.fullmatch(text) else None


def user_uuid(user_id: str | None) -> UUID:
    """Name a user where only a UUID will do: the nil UUID is nobody."""
    if user_id is None:
        return NOBODY
    return as_uuid(user_id) or uuid5(NAMESPACE, user_id)


def json_object(value: object) -> JsonObject:
    """Take a JSON object at its word: our own parser made it."""
    return cast("JsonObject", value)


def answer(body: JsonObject, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Send JSON that we rendered ourselves: nothing needs checking twice."""
    return Response(orjson.dumps(body), status, headers, media_type="application/json")
