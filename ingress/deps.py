"""Parameters that routes of any dialect share; they open nothing."""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, TypeVar
from uuid import UUID

from fastapi import Path, Query
from pydantic import BaseModel, BeforeValidator, Field, WithJsonSchema

from shared import ids
from shared.clock import Instant, from_datetime
from shared.ids import KeyId, RunId, ScheduleId, SessionId

MAX_WAIT_SECONDS = 60

_EXAMPLE = "0198c0de5e557c0de0000000c0ffee01"


def reader(prefix: str) -> Callable[[object], UUID]:
    """Make a validator of one noun's ids, in either spelling."""

    def read(value: object) -> UUID:
        if isinstance(value, str):
            return ids.parse(prefix, value)
        message = f"expected {prefix}_ and 32 hex digits, or a UUID"
        raise ValueError(message)

    return read


def id_schema(prefix: str) -> WithJsonSchema:
    """Describe an id."""
    return WithJsonSchema(
        {
            "type": "string",
            "description": f"`{prefix}_` and 32 hex digits, or a UUID.",
            "examples": [f"{prefix}_{_EXAMPLE}"],
        }
    )


def whole(value: object) -> object:
    if isinstance(value, str) and not re.fullmatch(r"[0-9]{1,18}", value):
        message = "expected a whole number"
        raise ValueError(message)
    return value


def _moment(value: object) -> object:
    # pydantic also takes bare numbers as seconds since 1970; a wrong unit would go unnoticed.
    if not isinstance(value, str):
        return value
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None or len(value) <= len("2026-01-01"):
        message = "expected an ISO 8601 instant with its time zone"
        raise ValueError(message)
    return moment


def to_instant(moment: datetime | None) -> Instant | None:
    """Translate an instant, or null."""
    return None if moment is None else from_datetime(moment)


SessionPath = Annotated[SessionId, BeforeValidator(reader("sess")), id_schema("sess"), Path()]
RunPath = Annotated[RunId, BeforeValidator(reader("run")), id_schema("run"), Path()]
KeyPath = Annotated[KeyId, BeforeValidator(reader("key")), id_schema("key"), Path()]
SchedulePath = Annotated[ScheduleId, BeforeValidator(reader("sched")), id_schema("sched"), Path()]

Wait = Annotated[
    Annotated[int, Field(ge=0, le=MAX_WAIT_SECONDS), BeforeValidator(whole)] | None,
    Query(description="Hold the answer up to so many seconds."),
]

MaybeInstant = Annotated[datetime, BeforeValidator(_moment)] | None

Q = TypeVar("Q", bound=BaseModel)
Queried = Annotated[Q, Query()]
