"""Keyset paging: page 10,000 costs what page 1 costs."""

import base64
import binascii
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from shared.domain.errors import ValidationFailed

T = TypeVar("T")
U = TypeVar("U")

Cursor = tuple[int | str, ...]

DEFAULT_LIMIT, MAX_LIMIT = 50, 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Which slice is asked for: the rows beyond `cursor`, a keyset, in the given order."""

    limit: int = DEFAULT_LIMIT
    cursor: Cursor | None = None
    descending: bool = False

    def cut(self, rows: Sequence[T], key: Callable[[T], Cursor]) -> "Listing[T]":
        """Make a page of rows that were read one further than the limit."""
        data = tuple(rows[: self.limit])
        more = len(rows) > self.limit
        return Listing(data=data, next_cursor=key(data[-1]) if more else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing(Generic[T]):
    """One page; `next_cursor` is null on the last."""

    data: tuple[T, ...]
    next_cursor: Cursor | None

    def map(self, render: Callable[[T], U]) -> "Listing[U]":
        """Return the same page of other things."""
        return Listing(data=tuple(map(render, self.data)), next_cursor=self.next_cursor)


def encode_cursor(cursor: Cursor | None) -> str | None:
    """Print a cursor, opaque to clients."""
    if cursor is None:
        return None
    return base64.urlsafe_b64encode(json.dumps(cursor).encode()).decode().rstrip("=")


def decode_cursor(text: str, shape: tuple[type, ...]) -> Cursor:
    """Read a cursor whose keys must have the types of `shape`.

    Raises ValidationFailed for what this server never printed.
    """
    try:
        padded = text + "=" * (-len(text) % 4)
        keys = json.loads(base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        keys = None
    if not isinstance(keys, list) or tuple(map(type, keys)) != shape or not all(map(_sane, keys)):
        raise ValidationFailed.of(("query", "cursor"), "not a cursor that this list returned")
    return tuple(keys)


def _sane(key: int | str) -> bool:
    if isinstance(key, int):
        return abs(key) < 1 << 63
    return re.fullmatch("[0-9a-f]{32}", key) is not None
