"""What JSON we take: parsed once, refused before it can hurt a database.

orjson reads what cannot be dangerous, which a look at the raw bytes proves; only the rest
is read by the slower, exact reader below.
"""

import json
import re
from collections.abc import Iterable, Iterator
from math import isfinite
from typing import NoReturn, TypeAlias, cast

import orjson

from shared.domain.errors import FieldError, InturnError, InvalidJson, ValidationFailed
from shared.domain.jsontypes import Json

MAX_DEPTH = 64
INT64 = range(-(1 << 63), 1 << 63)
_LEAST, _MOST = INT64[0], INT64[-1]

_AS_ZEROS = bytes.maketrans(b"123456789", b"000000000")
_LONG_NUMBER = b"0" * 19
_ENDLESS_NUMBER = b"0" * 1000  # Python reads no integers of more than a few thousand digits
_NUL_OR_SURROGATE = re.compile(rb"\\u(?:0000|d[89a-f])", re.IGNORECASE)
# One that does not end goes to the body's end: nothing is ever looked at twice.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
_BRACKETS = bytes.maketrans(b"{[]}", b"(())")
_TOO_DEEP = b"(" * (MAX_DEPTH + 1)
_NO_BRACKETS = bytes(set(range(256)) - set(b"{[]}"))

Loc = tuple[str | int, ...]
Item: TypeAlias = "Json | InturnError"  # one of many, or why it is refused


def parse_json(raw: bytes) -> Json:
    """Parse a body.

    Raises InvalidJson, or ValidationFailed for text and numbers that no database could hold.
    """
    if _harmless(raw):
        return _parse_quickly(raw)
    value = _parse_exactly(raw)
    inspect(value)
    return value


def parse_items(raw: bytes) -> Iterator[Item]:
    """Parse a body that is an array, each item judged like a body of its own once it is asked for.

    Raises InvalidJson for what is no JSON, ValidationFailed for what is no array.
    """
    harmless = _harmless(raw)
    items = _parse_quickly(raw) if harmless else _parse_exactly(raw)
    if not isinstance(items, list):
        raise ValidationFailed.of(("body",), "expected an array")
    return iter(items) if harmless else map(_judged, items)


def _judged(item: Json) -> Item:
    try:
        inspect(item)
    except InturnError as error:
        return error
    return item


def _harmless(raw: bytes) -> bool:
    """No escape of what cannot be stored, no number near 64 bits, and not deep."""
    if b"\\u" in raw and _NUL_OR_SURROGATE.search(raw):
        return False
    if _short_numbers(raw) and raw.count(b"{") + raw.count(b"[") <= MAX_DEPTH:
        return True
    bare = _STRING.sub(b"", raw)
    return _short_numbers(bare) and _shallow(bare)


def _short_numbers(raw: bytes) -> bool:
    return _LONG_NUMBER not in raw.translate(_AS_ZEROS)


def _shallow(bare: bytes) -> bool:
    """Peel the brackets from the inside, a level at a time, all in C; none that only open."""
    peeled, left = b"", bare.translate(_BRACKETS, _NO_BRACKETS)
    for _ in range(MAX_DEPTH):
        if len(left) == len(peeled) or _TOO_DEEP in left:
            break
        peeled, left = left, left.replace(b"()", b"")
    return not left


def _parse_quickly(raw: bytes) -> Json:
    try:
        return cast("Json", orjson.loads(raw))
    except orjson.JSONDecodeError as error:
        detail = f"The body is not JSON: {error.msg} at position {error.pos}."
        raise InvalidJson(detail) from None


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


def inspect(value: Json) -> None:
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
