"""Reading a request body: bounded, parsed once, refused before it can hurt a database.

orjson reads what cannot be dangerous, which a look at the raw bytes proves; only the rest
is read by the slower, exact reader below.
"""

import json
import re
from collections.abc import Iterator
from typing import NoReturn, cast

import orjson
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope

from shared.domain.errors import (
    InvalidJson,
    PayloadTooLarge,
    UnsupportedMediaType,
    ValidationFailed,
)
from shared.domain.jsontypes import Json

MAX_DEPTH = 64
INT64 = range(-(1 << 63), 1 << 63)

_MEDIA_TYPE = re.compile(rb'application/json\s*(;\s*charset="?utf-?8"?\s*)?;?', re.IGNORECASE)
_AS_ZEROS = bytes.maketrans(b"123456789", b"000000000")
_LONG_NUMBER = b"0" * 19

Loc = tuple[str | int, ...]


async def read_body(scope: Scope, receive: Receive, limit: int) -> bytes:
    """Read the whole body, never more than `limit` bytes of it."""
    declared = header(scope, b"content-length")
    if declared and declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)
    message = _part(await receive())
    body = cast("bytes", message.get("body", b""))
    if not message.get("more_body") and len(body) <= limit:
        return body
    return await _read_chunks(body, receive, limit)


async def _read_chunks(body: bytes, receive: Receive, limit: int) -> bytes:
    chunks, size, more = [body], len(body), True
    while more and size <= limit:
        message = _part(await receive())
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        more = message.get("more_body", False)
    if size > limit:
        raise _too_large(limit)
    return b"".join(chunks)


def _part(message: Message) -> Message:
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    return message


def _too_large(limit: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"The body is larger than {limit} bytes.")


def header(scope: Scope, name: bytes) -> bytes | None:
    """Return the first header of this name, in lower case."""
    for key, value in scope["headers"]:
        if key == name:
            return cast("bytes", value)
    return None


def check_media_type(scope: Scope) -> None:
    """Refuse a body that does not say it is JSON."""
    declared = header(scope, b"content-type")
    if declared != b"application/json" and not _MEDIA_TYPE.fullmatch(declared or b""):
        detail = "The body must be JSON, sent with `Content-Type: application/json`."
        raise UnsupportedMediaType(detail)


def parse_json(raw: bytes) -> Json:
    """Parse a body.

    Raises InvalidJson, or ValidationFailed for text and numbers that no database could hold.
    """
    if _harmless(raw):
        try:
            return cast("Json", orjson.loads(raw))
        except orjson.JSONDecodeError as error:
            detail = f"The body is not JSON: {error.msg} at position {error.pos}."
            raise InvalidJson(detail) from None
    value = _parse_exactly(raw)
    _inspect(value)
    return value


def _harmless(raw: bytes) -> bool:
    """No escapes, no number near 64 bits, too few brackets to be deep."""
    return (
        b"\\u" not in raw
        and _LONG_NUMBER not in raw.translate(_AS_ZEROS)
        and raw.count(b"{") + raw.count(b"[") <= MAX_DEPTH
    )


def _parse_exactly(raw: bytes) -> Json:
    try:
        value = json.loads(
            raw.decode(), parse_int=_integer, parse_float=_number, parse_constant=_constant
        )
    except UnicodeDecodeError:
        raise InvalidJson("The body is not UTF-8.") from None
    except RecursionError:
        raise _too_deep() from None
    except json.JSONDecodeError as error:
        raise InvalidJson(f"The body is not JSON: {error.msg} at position {error.pos}.") from None
    return cast("Json", value)


def _integer(digits: str) -> int:
    # Python refuses to read thousands of digits; any number out of range will do for them.
    return int(digits) if len(digits) <= len(str(INT64.start)) else INT64.stop


def _number(digits: str) -> float:
    value = float(digits)
    if value in {float("inf"), float("-inf")}:
        _constant(digits)
    return value


def _constant(_: str) -> NoReturn:
    raise InvalidJson("NaN and infinite numbers are not JSON.")


def _too_deep() -> InvalidJson:
    return InvalidJson(f"The body is nested deeper than {MAX_DEPTH} levels.")


def _inspect(value: Json) -> None:
    for loc, depth, item in _walk(value):
        if depth > MAX_DEPTH:
            raise _too_deep()
        if isinstance(item, str) and (wrong := unstorable(item)):
            raise ValidationFailed.of(("body", *loc), wrong)
        if isinstance(item, int) and item not in INT64:
            raise ValidationFailed.of(("body", *loc), "is beyond 64 bits")


def _walk(value: Json) -> Iterator[tuple[Loc, int, Json]]:
    """Visit every value and key; a key's place is that of its object."""
    pending: list[tuple[Loc, int, Json]] = [((), 1, value)]
    while pending:
        loc, depth, item = pending.pop()
        if isinstance(item, dict):
            for key, inner in item.items():
                yield loc, 0, key
                pending.append(((*loc, key), depth + 1, inner))
            yield loc, depth, None
        elif isinstance(item, list):
            pending.extend(((*loc, at), depth + 1, inner) for at, inner in enumerate(item))
            yield loc, depth, None
        else:
            yield loc, 0, item


def unstorable(text: str) -> str | None:
    """Say what makes this text impossible to store, if anything."""
    if "\x00" in text:
        return "contains NUL"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "contains a lone surrogate"
    return None
