"""Where a page of messages begins, and how long it is."""

import re
from datetime import datetime
from typing import Annotated, Any

from fastapi import Query
from pydantic import WithJsonSchema

from ingress.dialects.elizaos.wire.numbers import leading_integer
from ingress.dialects.elizaos.wire.refusal import invalid_pagination
from shared.clock import Instant, from_datetime

DEFAULT_LIMIT, MAX_LIMIT = 50, 100
LATEST_MILLISECONDS = 8_640_000_000_000_000  # JavaScript knows no later date
_MILLISECOND = 1000
_DIGITS = re.compile(r"[0-9]{1,16}")
_DATE_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt].+", re.ASCII)
_MAX_ECHO = 200


def _cursor(description: str) -> WithJsonSchema:
    choices: list[dict[str, Any]] = [
        {"type": "integer", "minimum": 0, "maximum": LATEST_MILLISECONDS},
        {"type": "string", "format": "date-time"},
    ]
    return WithJsonSchema({"anyOf": choices, "description": description})


LimitQuery = Annotated[
    str | None,
    WithJsonSchema(
        {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT}
    ),
    Query(description="How many; what is out of bounds is the nearest that is not."),
]
BeforeQuery = Annotated[
    str | None, _cursor("Older than this: epoch milliseconds or a date-time."), Query()
]
AfterQuery = Annotated[
    str | None, _cursor("Newer than this: epoch milliseconds or a date-time."), Query()
]


def to_limit(text: str | None) -> int:
    """Read how many; never refused."""
    limit = None if text is None else leading_integer(text)
    return DEFAULT_LIMIT if limit is None else min(MAX_LIMIT, max(1, limit))


def to_instant(parameter: str, text: str | None) -> Instant | None:
    """Read epoch milliseconds, or a date-time with its zone. Raises Refusal."""
    if text is None:
        return None
    count = int(text) if _DIGITS.fullmatch(text) else _from_iso(parameter, text) // _MILLISECOND
    if count > LATEST_MILLISECONDS:
        raise _wrong(parameter, text, "is later than any date")
    return Instant(count * _MILLISECOND)


def _from_iso(parameter: str, text: str) -> Instant:
    wanted = "must be epoch milliseconds, or an ISO 8601 date-time with its time zone"
    if not _DATE_TIME.fullmatch(text):
        raise _wrong(parameter, text, wanted)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _wrong(parameter, text, wanted) from None
    if moment.tzinfo is None:
        raise _wrong(parameter, text, wanted)
    return from_datetime(moment)


def _wrong(parameter: str, text: str, reason: str) -> Exception:
    return invalid_pagination(parameter, text[:_MAX_ECHO], reason)
