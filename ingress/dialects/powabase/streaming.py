"""A run as server-sent events, from its acceptance to its end."""

from collections.abc import Iterable
from contextlib import aclosing

from ingress.auth import authenticate
from ingress.call import Call
from ingress.dialects.powabase.asking import Posted, turn_of
from ingress.dialects.powabase.wire import stream as wire
from ingress.dialects.powabase.wire.error import told
from ingress.dialects.powabase.wire.turn import reasoning_requested
from ingress.sse import EventStream, Manner, Pages
from shared.domain.event import Event, EventType, OfRun
from shared.domain.jsontypes import JsonObject
from shared.domain.waiting import CAUSE_APPROVAL

MANNER = Manner(cache_control="no-cache", preamble=b"", keep_alive=b": keepalive\n\n", seconds=30.0)
_LEAVING = "This server is going away; the run goes on, and is read by its run_id"


def stream(call: Call, posted: Posted) -> EventStream:
    """Tell a run as it is performed; the last event is always `complete` or `error`."""
    return EventStream(
        _performed(call, posted),
        welcome=lambda: authenticate(call),
        manner=MANNER,
        headers=posted.headers,
        farewell=lambda error: wire.to_frame(wire.failure(posted.run_id, told(error))),
    )


async def _performed(call: Call, posted: Posted) -> Pages:
    telling = wire.Telling()
    run = await call.platform.runs.get(call.principal, posted.run_id)
    asked = reasoning_requested(run.options)
    yield [wire.to_frame(wire.start(run.id, run.session_id, reasoning=asked))]
    feed = await call.platform.events.open(call.principal, OfRun(posted.run_id), None)
    async with aclosing(feed.follow()) as pages:
        async for events in pages:
            bodies = [body for event in events for body in await _told(call, telling, event)]
            if bodies:
                yield map(wire.to_frame, bodies)
    if not feed.over:
        yield [wire.to_frame(wire.failure(posted.run_id, _LEAVING))]
        return
    run = await call.platform.runs.get(call.principal, posted.run_id)
    last = wire.ending(await turn_of(call, run), is_new_session=posted.is_new_session)
    yield map(wire.to_frame, last)


async def _told(call: Call, telling: wire.Telling, event: Event) -> Iterable[JsonObject]:
    """Translate an event; who has to decide what is known to the run alone."""
    if event.type is EventType.RUN_WAITING and event.data.get("cause") == CAUSE_APPROVAL:
        return wire.asking(await call.platform.runs.get(call.principal, event.run_id))
    return telling.tell(event)
