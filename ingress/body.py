"""Reading a request body: never more of it than is allowed, and only what says what it is."""

import re
from collections.abc import AsyncIterator
from typing import cast

from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

from shared.domain.errors import PayloadTooLarge, UnsupportedMediaType

JSON, NDJSON = "application/json", "application/x-ndjson"
MERGE_PATCH = "application/merge-patch+json"
_MEDIA_TYPE = re.compile(rb'([\w.+/-]+)\s*(?:;\s*charset="?utf-?8"?\s*)?;?', re.IGNORECASE)


async def read_body(scope: Scope, receive: Receive, limit: int) -> bytes:
    """Read the whole body, never more than `limit` bytes of it."""
    parts = [part async for part in read_parts(scope, receive, limit)]
    return parts[0] if len(parts) == 1 else b"".join(parts)


async def read_parts(scope: Scope, receive: Receive, limit: int) -> AsyncIterator[bytes]:
    """Read the body as it comes. Raises PayloadTooLarge once it is known to be over `limit`."""
    declared = header(scope, b"content-length")
    size = int(declared) if declared and declared.isdigit() else 0
    if size > limit:
        raise _too_large(limit)
    received, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        part = cast("bytes", message.get("body", b""))
        received += len(part)
        if received > limit:
            raise _too_large(limit)
        yield part
        more = message.get("more_body", False)


def _too_large(limit: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"The body is larger than {limit} bytes.")


def header(scope: Scope, name: bytes) -> bytes | None:
    """Return the first header of this name, in lower case."""
    for key, value in scope["headers"]:
        if key == name:
            return cast("bytes", value)
    return None


def check_media_type(scope: Scope, *allowed: str) -> str:
    """Return which of these the body says it is. Raises UnsupportedMediaType."""
    declared = header(scope, b"content-type") or b""
    for each in allowed:
        if declared == each.encode():
            return each
    match = _MEDIA_TYPE.fullmatch(declared)
    named = match[1].decode().lower() if match else ""
    if named not in allowed:
        wanted = " or ".join(f"`Content-Type: {each}`" for each in allowed)
        raise UnsupportedMediaType(f"The body must be JSON, sent with {wanted}.")
    return named
