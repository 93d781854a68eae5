"""A session's messages, a page of whole turns at a time."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from ingress.call import Call
from ingress.dialects.powabase.wire.message import from_pairs, from_turn
from shared import ids
from shared.domain.jsontypes import JsonObject
from shared.ids import SessionId


async def is_seed(call: Call, session_id: SessionId, text: str) -> bool:
    """Tell whether this names a pair that the session began with. Raises NotFound."""
    before = await call.platform.turns.said_before(call.principal, session_id)
    return any(text.lower() == ids.spell("seed", each.id) for each in before[::2])


async def assembled(
    call: Call, session_id: SessionId, *, most: int | None, tools: bool
) -> AsyncGenerator[list[JsonObject], None]:
    """Go through what was said, oldest first, `most` turns of it. Raises NotFound."""
    turns = call.platform.turns
    before = await turns.said_before(call.principal, session_id)
    pairs = list(from_pairs(before))[:most]
    if pairs:
        yield [message for pair in pairs for message in pair]
    left = None if most is None else most - len(pairs)
    async with aclosing(turns.succeeded(call.principal, session_id, most=left)) as pages:
        async for page in pages:
            yield [message for turn in page for message in from_turn(turn, tools=tools)]
