"""A run as server-sent events, from its acceptance to its end."""

from collections.abc import Iterable
from contextlib import aclosing

from ingress.call import Call
from ingress.dialects.powabase.asking import Posted, turn_of
from ingress.dialects.powabase.wire import stream
from ingress.dialects.powabase.wire.error import told
from ingress.dialects.powabase.wire.turn import reasoning_requested
from ingress.sse import Manner, Pages
from shared.domain.errors import InturnError
from shared.domain.event import Event, EventType, OfRun
from shared.domain.jsontypes import JsonObject
from shared.domain.waiting import CAUSE_APPROVAL

MANNER = Manner(cache_control="no-cache", preamble=b"", keep_alive=b": keepalive\n\n", seconds=30.0)
_LEAVING = "This server is going away; the run goes on, and is read by its run_id"


async def performed(call: Call, posted: Posted) -> Pages:
    """Tell a run as it is performed; the last event is always `complete` or `error`."""
    telling = stream.Telling()
    try:
        run = await call.platform.runs.get(call.principal, posted.run_id)
        asked = reasoning_requested(run.options)
        yield [stream.to_frame(stream.start(run.id, run.session_id, reasoning=asked))]
        feed = await call.platform.events.open(call.principal, OfRun(posted.run_id), None)
        async with aclosing(feed.follow()) as pages:
            async for events in pages:
                bodies = [body for event in events for body in await _told(call, telling, event)]
                if bodies:
                    yield map(stream.to_frame, bodies)
        if not feed.over:
            yield [stream.to_frame(stream.failure(posted.run_id, _LEAVING))]
            return
        run = await call.platform.runs.get(call.principal, posted.run_id)
        last = stream.ending(await turn_of(call, run), is_new_session=posted.is_new_session)
        yield map(stream.to_frame, last)
    except InturnError as error:
        yield [stream.to_frame(stream.failure(posted.run_id, told(error)))]


async def _told(call: Call, telling: stream.Telling, event: Event) -> Iterable[JsonObject]:
    """Translate an event; who has to decide what is known to the run alone."""
    if event.type is EventType.RUN_WAITING and event.data.get("cause") == CAUSE_APPROVAL:
        return stream.asking(await call.platform.runs.get(call.principal, event.run_id))
    return telling.tell(event)
