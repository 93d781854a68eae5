"""Following a run whose message was just stored, as a stream of this contract."""

from contextlib import aclosing, suppress

import orjson

from ingress.auth import authenticate_or_anonymous
from ingress.call import Call
from ingress.dialects.elizaos.wire.stream import Telling, frame
from ingress.sse import EventStream, Manner, Pages
from shared.domain.errors import InturnError
from shared.domain.event import OfRun
from shared.domain.idempotency import Answer
from shared.domain.run import Run
from shared.ids import RunId

_MANNER = Manner(cache_control="no-cache", preamble=b"")


def stream(call: Call, sent: Answer, headers: dict[str, str]) -> EventStream:
    """Send the message as it was stored, and then what its run says, until it ends."""
    return EventStream(
        _pages(call, sent),
        welcome=lambda: authenticate_or_anonymous(call),
        manner=_MANNER,
        headers=headers,
        farewell=lambda error: frame("error", {"error": error.detail}),
    )


async def _pages(call: Call, sent: Answer) -> Pages:
    yield [frame("user_message", orjson.loads(sent.body)["userMessage"])]
    telling = Telling()
    if sent.run_id is None:
        return
    with suppress(InturnError):  # deleted, or the database is away
        feed = await call.platform.events.open(call.principal, OfRun(sent.run_id), None)
        async with aclosing(feed.follow()) as pages:
            async for events in pages:
                if frames := telling.frames(events):
                    yield frames
    if not telling.over:
        yield telling.ending(await _run(call, sent.run_id))


async def _run(call: Call, run_id: RunId) -> Run | None:
    with suppress(InturnError):
        return await call.platform.runs.get(call.principal, run_id)
    return None
