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
from ingress.fields import answer
from ingress.route import StrictRoute
from ingress.sse import MEDIA_TYPE, EventStream, Pages
from shared.domain.errors import FieldError, ValidationFailed
from shared.domain.event import Event, OfRun, OfSession, Position, Source
from shared.domain.jsontypes import Json
from shared.service.events import Feed

router = APIRouter(prefix="/v1", route_class=StrictRoute, tags=["events"])

Answer: TypeAlias = Response | EventStream

_AFTER, _LAST_EVENT_ID = ("query", "after"), ("header", "Last-Event-ID")

_TWO_SHAPES: Responses = {
    200: {
        "description": "A stream, or a page.",
        "content": {MEDIA_TYPE: {}},
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
    return await _respond(call, OfRun(run_id), query)


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
    return await _respond(call, OfSession(session_id), query)


def _seen(call: Call, query: EventsQuery) -> tuple[Position | None, tuple[str, str]]:
    """Read both; who reconnects sends its old `after` beside the newer header."""
    after = None if query.at is None else Position.parse(query.at)
    header = call.headers.get("last-event-id")
    if not header:
        return after, _AFTER
    try:
        last = Position.parse(header)
    except ValueError as error:
        raise ValidationFailed.of(_LAST_EVENT_ID, str(error)) from None
    return (last, _LAST_EVENT_ID) if after is None or last > after else (after, _AFTER)


async def _respond(call: Call, source: Source, query: EventsQuery) -> Answer:
    streams = wants_stream(call.headers.get("accept"), polls=query.polls)
    seen, where = _seen(call, query)
    try:
        if query.backwards:
            return await _latest(call, source, seen, query)
        feed = await call.platform.events.open(call.principal, source, seen)
    except ValidationFailed as error:
        wrong = FieldError(where, error.errors[0].msg)
        raise ValidationFailed((wrong,), error.detail) from None
    return _stream(call, feed) if streams else await _next(feed, query)


async def _latest(
    call: Call, source: Source, before: Position | None, query: EventsQuery
) -> Response:
    events, cursor = await call.platform.events.latest(call.principal, source, before, query.most)
    return _page(events, cursor)


async def _next(feed: Feed, query: EventsQuery) -> Response:
    if query.wait:
        events = await feed.wait(query.most, seconds=query.wait)
    else:
        events = await feed.read(query.most)
    return _page(events, None if feed.over else feed.position)


def _page(events: tuple[Event, ...], cursor: Position | None) -> Response:
    data: list[Json] = [from_event(each) for each in events]
    return answer({"data": data, "next_cursor": None if cursor is None else str(cursor)})


def _stream(call: Call, feed: Feed) -> Answer:
    if feed.over:
        return Response(status_code=204)
    return EventStream(_pages(feed), welcome=lambda: authenticate(call))


async def _pages(feed: Feed) -> Pages:
    async with aclosing(feed.follow()) as pages:
        async for events in pages:
            yield map(to_frame, events)
