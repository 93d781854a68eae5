"""Reading a request body: bounded, parsed once, refused before it can hurt a database.

orjson reads what cannot be dangerous, which a look at the raw bytes proves; only the rest
is read by the slower, exact reader below.
"""

import json
import re
from collections.abc import Iterable
from math import isfinite
from typing import NoReturn, cast

import orjson
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope

from shared.domain.errors import (
    FieldError,
    InvalidJson,
    PayloadTooLarge,
    UnsupportedMediaType,
    ValidationFailed,
)
from shared.domain.jsontypes import Json

MAX_DEPTH = 64
INT64 = range(-(1 << 63), 1 << 63)
_LEAST, _MOST = INT64[0], INT64[-1]

_MEDIA_TYPE = re.compile(rb'application/json\s*(;\s*charset="?utf-?8"?\s*)?;?', re.IGNORECASE)
_AS_ZEROS = bytes.maketrans(b"123456789", b"000000000")
_LONG_NUMBER = b"0" * 19
_ENDLESS_NUMBER = b"0" * 1000  # Python reads no integers of more than a few thousand digits

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
        endless = _ENDLESS_NUMBER in raw.translate(_AS_ZEROS)
        value = json.loads(
            raw.decode(), parse_int=_integer if endless else None, parse_constant=_constant
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


def _constant(_: str) -> NoReturn:
    raise InvalidJson("NaN and infinite numbers are not JSON.")


def _too_deep() -> InvalidJson:
    return InvalidJson(f"The body is nested deeper than {MAX_DEPTH} levels.")


def _inspect(value: Json) -> None:
    """Look at every value and key; a key's place is that of its object.

    A body may hold a million values, and all else in this process waits meanwhile.
    """
    pending: list[tuple[Loc, Iterable[tuple[str | int, Json]]]] = [((), [("body", value)])]
    while pending:
        loc, inside = pending.pop()
        for at, item in inside:
            if isinstance(item, int | float):
                if not _LEAST <= item <= _MOST:
                    _check_number(item, (*loc, at))
            elif isinstance(item, str):
                _check(item, (*loc, at))
            elif isinstance(item, dict | list):
                if len(loc) == MAX_DEPTH:
                    raise _too_deep()
                if item:
                    pending.append(((*loc, at), _inside(item, (*loc, at))))


def _inside(container: Json, loc: Loc) -> Iterable[tuple[str | int, Json]]:
    if not isinstance(container, dict):
        return enumerate(cast("list[Json]", container))
    for key in container:
        _check(key, loc)
    return container.items()


def _check_number(number: float, loc: Loc) -> None:
    if isinstance(number, int):
        raise ValidationFailed((FieldError(loc, "is beyond 64 bits"),))
    if not isfinite(number):
        _constant(str(number))


def _check(text: str, loc: Loc) -> None:
    if wrong := unstorable(text):
        raise ValidationFailed((FieldError(loc, wrong),))


def unstorable(text: str) -> str | None:
    """Say what makes this text impossible to store, if anything."""
    if "\x00" in text:
        return "contains NUL"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "contains a lone surrogate"
    return None
