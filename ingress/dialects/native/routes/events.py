"""Events: followed as a stream, or polled; one cursor for both."""

from contextlib import aclosing
from typing import TypeAlias

from fastapi import APIRouter
from starlette.responses import Response

from ingress.auth import authenticate
from ingress.call import Call
from ingress.deps import Queried, RunPath, SessionPath
from ingress.dialects.native.accept import wants_stream
from ingress.dialects.native.describe import Responses, problems
from ingress.dialects.native.wire.event import EventPage, EventsQuery, from_event, to_frame
from ingress.dialects.native.wire.fields import answer
from ingress.route import StrictRoute
from ingress.sse import MEDIA_TYPE, EventStream, Pages
from shared.domain.errors import ValidationFailed
from shared.domain.event import Position
from shared.service.events import Feed

router = APIRouter(prefix="/v1", route_class=StrictRoute, tags=["events"])

Answer: TypeAlias = Response | EventStream

_TWO_SHAPES: Responses = {
    200: {
        "description": "A stream, or a page.",
        "content": {MEDIA_TYPE: {"schema": {"type": "string"}}},
    }
}
_ENDED: Responses = {204: {"description": "The run has settled, and all it said was read."}}


@router.get(
    "/runs/{run_id}/events",
    summary="Follow a run",
    response_model=EventPage,
    responses=_TWO_SHAPES | _ENDED | problems(404),
)
async def get_run_events(call: Call, run_id: RunPath, query: Queried[EventsQuery]) -> Answer:
    """Read what a run says while it runs: server-sent events, or a page of them as JSON.

    `Accept` decides; `Last-Event-ID` or `after` resumes, the later of the two if both are sent.
    A stream ends after `run.settled`. A page may be held with `wait` until there is something.
    """
    feed = await call.platform.events.of_run(call.principal, run_id, _seen(call, query))
    return await _respond(call, feed, query)


@router.get(
    "/sessions/{session_id}/events",
    summary="Follow a session",
    response_model=EventPage,
    responses=_TWO_SHAPES | problems(404),
)
async def get_session_events(
    call: Call, session_id: SessionPath, query: Queried[EventsQuery]
) -> Answer:
    """Read what a session's runs say, one run after the other, from when they start."""
    feed = await call.platform.events.of_session(call.principal, session_id, _seen(call, query))
    return await _respond(call, feed, query)


def _seen(call: Call, query: EventsQuery) -> Position | None:
    """Find what the client has: who reconnects sends its old `after` beside the newer header."""
    header = call.headers.get("last-event-id") or None
    try:
        seen = [Position.parse(each) for each in (query.after, header) if each is not None]
    except ValueError as error:
        raise ValidationFailed.of(("header", "Last-Event-ID"), str(error)) from None
    return max(seen, default=None)


async def _respond(call: Call, feed: Feed, query: EventsQuery) -> Answer:
    if wants_stream(call.headers.get("accept"), polls=query.polls):
        if feed.over:
            return Response(status_code=204)
        return EventStream(_pages(feed), welcome=lambda: authenticate(call))
    if query.wait:
        events = await feed.wait(query.most, seconds=query.wait)
    else:
        events = await feed.read(query.most)
    cursor = None if feed.over else str(feed.position)
    return answer({"data": [from_event(each) for each in events], "next_cursor": cursor})


async def _pages(feed: Feed) -> Pages:
    async with aclosing(feed.follow()) as pages:
        async for events in pages:
            yield map(to_frame, events)
