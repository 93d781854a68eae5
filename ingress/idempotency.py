"""`Idempotency-Key`, for every dialect: read, and answered as the first time."""

import re
from collections.abc import Callable
from hashlib import sha256
from typing import TypeVar

import orjson
from starlette.responses import Response
from starlette.types import Scope

from ingress.call import Call
from shared.domain.errors import ValidationFailed
from shared.domain.idempotency import Answer, Idempotency
from shared.domain.jsontypes import JsonObject
from shared.domain.requests import Replayed
from shared.ids import RunId

T = TypeVar("T")

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
MAX_LENGTH = 255
_NAME = HEADER.lower().encode()
_VISIBLE = re.compile(rb"[\x21-\x7e]{1,%d}" % MAX_LENGTH)


def read_key(scope: Scope) -> str | None:
    """Read the header. Raises ValidationFailed."""
    given = [value for name, value in scope["headers"] if name == _NAME]
    if not given:
        return None
    if len(given) > 1 or not _VISIBLE.fullmatch(given[0]):
        wanted = f"one key of 1 to {MAX_LENGTH} visible ASCII characters"
        raise ValidationFailed.of(("header", HEADER), wanted)
    return bytes(given[0]).decode("ascii")


def once(call: Call, render: Callable[[T], Answer]) -> Idempotency[T] | None:
    """Take the caller's key, if it sent one, for what it asks now."""
    if call.idempotency_key is None:
        return None
    asked = asked_hash(call, call.body_hash)
    return Idempotency(key=call.idempotency_key, body_hash=asked, render=render)


def asked_hash(call: Call, body: bytes) -> bytes:
    """Hash what is asked: with what right, method, path, and what stands for the body.

    Keys of several scopes may share a principal, and one may see what the other may not.
    """
    asked = f"{call.principal.scope} {call.method} {call.scope['path']}\n"
    return sha256(asked.encode() + body).digest()


def as_answer(
    body: JsonObject, status: int, location: str | None = None, run_id: RunId | None = None
) -> Answer:
    """Print an answer so that it can be kept."""
    text = orjson.dumps(body).decode()
    return Answer(status=status, body=text, location=location, run_id=run_id)


def respond(created: T | Replayed, render: Callable[[T], Answer]) -> Response:
    """Send what was created, or what the same key was answered first."""
    if isinstance(created, Replayed):
        return to_response(created.answer, {REPLAYED: "true"})
    return to_response(render(created), {})


def to_response(answer: Answer, headers: dict[str, str]) -> Response:
    """Send an answer as it was printed."""
    if answer.location is not None:
        headers = {"Location": answer.location, **headers}
    return Response(answer.body, answer.status, headers, media_type="application/json")
