"""A body of many items: a JSON array, or NDJSON, whose lines are parsed as they come."""

from collections.abc import AsyncIterator, Iterator
from hashlib import sha256

from ingress.body import JSON, NDJSON, check_media_type, read_parts
from ingress.call import Call
from ingress.strictjson import Item, parse_items, parse_json
from shared.domain.errors import InturnError, InvalidJson, ValidationFailed


async def read_items(call: Call, *, limit: int, most: int) -> AsyncIterator[Item]:
    """Read at most `most` items in `limit` bytes; what is wrong with one alone comes in its place.

    Raises what is wrong with the body, perhaps after some items: then nothing of it may be used.
    """
    lines = check_media_type(call.scope, JSON, NDJSON) == NDJSON
    parts = _seen(call, read_parts(call.scope, call.receive, limit))
    count = 0
    async for item in _lines(parts) if lines else _array(parts):
        count += 1
        if count > most:
            raise ValidationFailed.of(("body",), f"more than {most} items")
        yield item


async def _seen(call: Call, parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Pass the body on, noting what is compared when its idempotency key comes again."""
    digest = sha256()
    async for part in parts:
        if call.idempotency_key is not None:
            digest.update(part)
        yield part
    call.body_hash = digest.digest()


async def _array(parts: AsyncIterator[bytes]) -> AsyncIterator[Item]:
    items = parse_items(b"".join([part async for part in parts]))
    for item in items:
        yield item


async def _lines(parts: AsyncIterator[bytes]) -> AsyncIterator[Item]:
    begun: list[bytes] = []
    async for part in parts:
        head, *rest = part.split(b"\n")
        begun.append(head)
        if rest:
            *whole, tail = rest
            for item in _parsed([b"".join(begun), *whole]):
                yield item
            begun = [tail]
    for item in _parsed([b"".join(begun)]):
        yield item


def _parsed(lines: list[bytes]) -> Iterator[Item]:
    """Parse lines; blank ones are no items."""
    for line in filter(bytes.strip, lines):
        try:
            yield parse_json(line)
        except InvalidJson as error:
            yield InvalidJson(error.detail.replace("body", "line", 1))
        except InturnError as error:
            yield error
