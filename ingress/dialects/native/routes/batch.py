"""Many messages in one request."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeAlias, TypeVar

from fastapi import APIRouter
from starlette.responses import Response

from ingress.body import JSON, NDJSON
from ingress.call import Call
from ingress.dialects.native.wire.batch import (
    MAX_BYTES,
    MAX_ITEMS,
    BatchedMessage,
    Results,
    at,
    from_accepted,
    from_answer,
    from_refusal,
    to_answer,
    to_batched,
)
from ingress.fields import answer
from ingress.idempotency import REPLAYED, asked_hash, once
from ingress.items import read_items
from ingress.rates import rate_headers
from ingress.route import StrictRoute
from shared.domain.errors import InturnError
from shared.domain.idempotency import Answer, Idempotency
from shared.domain.jsontypes import JsonObject
from shared.domain.rates import Allowance
from shared.domain.requests import Accepted, NewSession, Opening, Replayed, Taken
from shared.ids import SessionId, new_id
from shared.service.intake import Post

router = APIRouter(prefix="/v1", route_class=StrictRoute, tags=["messages"])

Read: TypeAlias = BatchedMessage | InturnError
T = TypeVar("T")

_ITEM = {"$ref": "#/components/schemas/BatchedMessage"}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            JSON: {"schema": {"type": "array", "items": _ITEM, "maxItems": MAX_ITEMS}},
            NDJSON: {"schema": _ITEM},
        },
    }
}


@router.post(
    "/messages:batch", summary="Post many messages", response_model=Results, openapi_extra=_BODY
)
async def post_messages(call: Call) -> Response:
    """Accept every message that is good; a bad one is reported at its index and stops no other.

    An array, or a message per line; messages of one session keep their order. An item's
    `idempotency_key` works like the header does for one message. The header here stands for a
    key for each item that has none, and for this body as a whole.
    """
    read: list[Read] = []
    async for item in read_items(call, limit=MAX_BYTES, most=MAX_ITEMS):
        read.append(to_batched(item, len(read)))
    posts = await _posts(call, read)
    headers = await _announce(call)
    good = [each for each in posts if isinstance(each, Post)]
    taken = iter(await call.platform.intake.accept_many(call.principal, good))
    ends = [next(taken) if isinstance(each, Post) else each for each in posts]
    headers |= rate_headers([left for each in ends for left in _allowances(each)])
    return answer({"results": [_result(*each) for each in enumerate(ends)]}, headers=headers)


async def _posts(call: Call, read: Sequence[Read]) -> list[Post | InturnError]:
    openings = await _openings(call, read)
    posts: list[Post | InturnError] = []
    for index, each in enumerate(read):
        try:
            posts.append(_post(call, index, _good(each), openings.get(index)))
        except InturnError as error:
            posts.append(error)
    callbacks = [
        _check_callback(call, posts, index, each)
        for index, each in enumerate(posts)
        if isinstance(each, Post) and each.new.callback_url is not None
    ]
    await asyncio.gather(*callbacks)
    return posts


async def _check_callback(
    call: Call, posts: list[Post | InturnError], index: int, post: Post
) -> None:
    """Give the reason to a post that may not be answered where it wants to be."""
    if refusal := await call.platform.targets.refusal(post.new):
        posts[index] = replace(post, refusal=at(index, refusal))


async def _openings(call: Call, read: Sequence[Read]) -> dict[int, Opening | InturnError]:
    """Check the sessions that are to open on the way, by the index of their message."""
    asked: dict[int, NewSession] = {}
    max_chars = call.platform.settings.max_content_chars
    refused: dict[int, Opening | InturnError] = {}
    for index, each in enumerate(read):
        if isinstance(each, BatchedMessage) and each.session is not None:
            session = each.session
            correlation_id = session.correlation_id or each.correlation_id or call.correlation_id
            try:
                asked[index] = session.to_domain(correlation_id, max_chars)
            except InturnError as error:
                refused[index] = at(index, error, "session")
    made = await call.platform.sessions.openings(call.principal, list(asked.values()))
    named = (
        at(index, each, "session") if isinstance(each, InturnError) else each
        for index, each in zip(asked, made, strict=True)
    )
    return refused | dict(zip(asked, named, strict=True))


def _good(each: T | InturnError) -> T:
    if isinstance(each, InturnError):
        raise each
    return each


def _post(
    call: Call, index: int, message: BatchedMessage, opening: Opening | InturnError | None
) -> Post:
    opens = opening if isinstance(opening, Opening) else None
    refusal = opening if isinstance(opening, InturnError) else None
    # A session that cannot be opened has no id; the key that comes with it may still be known.
    session_id = (opens.id if opens else message.session_id) or SessionId(new_id())
    correlation_id = message.correlation_id or call.correlation_id
    max_chars = call.platform.settings.max_content_chars
    try:
        new = message.to_domain(call.principal, session_id, correlation_id, max_chars)
    except InturnError as error:
        raise at(index, error) from None
    return Post(
        new=new,
        opening=opens,
        refusal=refusal,
        idempotency=_key(call, index, message),
        meters=call.meters(session_id),
    )


def _key(call: Call, index: int, message: BatchedMessage) -> Idempotency[Accepted] | None:
    """Take the item's own key, or make one of the batch's that no caller can send."""
    if key := message.idempotency_key:
        asked = message.model_dump_json(exclude_unset=True).encode()
    elif call.idempotency_key is not None:
        key, asked = f"{call.idempotency_key} {index}", call.body_hash
    else:
        return None
    return Idempotency(key=key, body_hash=asked_hash(call, asked), render=to_answer)


async def _announce(call: Call) -> dict[str, str]:
    """Tie the batch's own key to this body. Raises IdempotencyKeyReused."""
    batch = once(call, _announced)
    if batch is None:
        return {}
    known = await call.platform.intake.announce_batch(call.principal, batch)
    return {REPLAYED: "true"} if known else {}


def _announced(_: bool) -> Answer:
    return Answer(status=200, body="")


def _allowances(end: Taken | InturnError) -> Sequence[Allowance]:
    return () if isinstance(end, Replayed) else end.allowances


def _result(index: int, end: Taken | InturnError) -> JsonObject:
    if isinstance(end, Accepted):
        return {"index": index, "status": 202, **from_accepted(end)}
    if isinstance(end, Replayed):
        return {"index": index, "status": end.answer.status, **from_answer(end.answer)}
    return {"index": index, **from_refusal(end)}
