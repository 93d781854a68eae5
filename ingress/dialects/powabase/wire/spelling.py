"""How this contract spells things, and what it makes of a caller's spelling."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Query
from pydantic import WithJsonSchema

from ingress.dialects.powabase.wire.error import BadRequest
from ingress.fields import user_uuid
from shared import ids
from shared.clock import Instant, to_datetime
from shared.domain.errors import NotFound
from shared.domain.jsontypes import Json
from shared.ids import AgentId, RunId, SessionId

ORIGIN = "powabase"
MAX_ID_CHARS = 255

Timestamp = Annotated[
    str,
    WithJsonSchema(
        {"type": "string", "format": "date-time", "examples": ["2026-01-01T00:00:00.000000+00:00"]}
    ),
]
SessionPath = Annotated[str, Path(description="`sess_` and 32 hex digits, or a UUID.")]
RunPath = Annotated[str, Path(description="`run_` and 32 hex digits, or a UUID.")]
AgentPath = Annotated[str, Path(description="A UUID.")]


def session_id(text: str) -> SessionId:
    """Read either spelling; what is none is nobody's. Raises NotFound, BadRequest."""
    if len(text) > MAX_ID_CHARS:
        raise BadRequest(f"session_id must be at most {MAX_ID_CHARS} characters", "session_id")
    return SessionId(_read("sess", text, "session"))


def run_id(text: str) -> RunId:
    """Read either spelling. Raises NotFound."""
    return RunId(_read("run", text, "run"))


def agent_id(text: str) -> AgentId:
    """Read either spelling; a name is none. Raises NotFound."""
    return AgentId(_read("agent", text, "agent"))


def _read(prefix: str, text: str, noun: str) -> UUID:
    try:
        return ids.parse(prefix, text)
    except ValueError:
        raise NotFound(noun) from None


def moment(instant: Instant) -> str:
    """Print an instant as Python does: microseconds and `+00:00`."""
    return to_datetime(instant).isoformat(timespec="microseconds")


def maybe_moment(instant: Instant | None) -> str | None:
    """Print an instant, or null."""
    return None if instant is None else moment(instant)


def user(user_id: str | None) -> str | None:
    """Print a user, or null."""
    return None if user_id is None else str(user_uuid(user_id))


def dashed(value: Json) -> Json:
    """Print the id of a chunk, source or knowledge base, however it was stored."""
    for prefix in ("chunk", "src", "kb"):
        try:
            return str(ids.parse(prefix, str(value)))
        except ValueError:
            continue
    return value


def _whole(description: str, **bounds: int) -> tuple[object, object]:
    shape = WithJsonSchema({"type": "integer", **bounds})
    return shape, Query(description=f"{description} What is no whole number is ignored.")


RunsLimit = Annotated[str | None, *_whole("How many.", minimum=1, maximum=100, default=100)]
SessionsLimit = Annotated[str | None, *_whole("How many.", minimum=1, maximum=200, default=50)]
TurnsLimit = Annotated[
    str | None,
    *_whole("How many turns, the oldest; a turn is never split.", minimum=1, maximum=200),
]
Offset = Annotated[str | None, *_whole("How many to leave out.", minimum=0, default=0)]
MAX_OFFSET = (1 << 31) - 1


def clamped(text: str | None, default: int, least: int, most: int) -> int:
    """Read a whole number as this contract does: what is none is the default."""
    number = maybe_number(text)
    return default if number is None else max(least, min(most, number))


def maybe_number(text: str | None) -> int | None:
    """Read a whole number; null for what is none."""
    digits = (text or "").strip()
    if not digits.removeprefix("-").isdecimal() or not digits.isascii():
        return None
    return int(digits[:18])
