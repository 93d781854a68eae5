"""Events over HTTP: a stream, a page, one cursor for both."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from starlette.types import ASGIApp

from shared.bootstrap import Platform
from tests.api.caller import Caller, outcome
from tests.api.listener import Heard, listening, parse
from tests.api.performer import Performer

STREAM, PAGE = "text/event-stream", "application/json"
TOLD = ["run.started", "attempt.started", "message.completed", "run.settled"]


@pytest.fixture
async def performer(platform: Platform) -> AsyncIterator[Performer]:
    yield Performer(platform)
    assert platform.signals.watched == set(), "somebody still listens"


async def posted(service: Caller, session: str | None = None) -> tuple[str, str]:
    if session is None:
        session = (await service.ok("POST", "/v1/sessions", {"agent": "echo"}))["id"]
    receipt = await service.ok("POST", f"/v1/sessions/{session}/messages", {"content": "hi"})
    return str(session), str(receipt["run"]["id"])


async def streamed(service: Caller, url: str, **headers: str) -> list[Heard]:
    """Read a stream that ends."""
    response = await service.call("GET", url, Accept=STREAM, **headers)
    assert (response.status_code, response.headers["content-type"]) == (200, STREAM)
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-accel-buffering"] == "no"
    assert response.text.startswith("retry: ")
    return parse(response.text)


async def polled(service: Caller, url: str) -> tuple[list[Heard], str | None]:
    page = await service.ok("GET", url, Accept=PAGE)
    events = [Heard(each["id"], each["type"], each["data"]) for each in page["data"]]
    return events, page["next_cursor"]


async def test_a_run_that_settled_is_told_whole(service: Caller, performer: Performer) -> None:
    session, run = await posted(service)
    await performer.answer(run, "an answer")
    events = await streamed(service, f"/v1/runs/{run}/events")
    assert [event.type for event in events] == TOLD
    assert [event.id for event in events] == ["2-1", "2-2", "2-3", "2-4"]
    correlation_id = (await service.ok("GET", f"/v1/runs/{run}"))["correlation_id"]
    for event in events:
        assert (event.data["run_id"], event.data["session_id"]) == (run, session)
        assert event.data["correlation_id"] == correlation_id
        assert event.data["at"].endswith("Z")
    assert events[1].data["attempt"] == 1
    assert "fence" not in events[1].data
    output = (await service.ok("GET", f"/v1/runs/{run}"))["output"]
    assert events[2].data["message"] == output
    assert (events[3].data["status"], events[3].data["error"]) == ("succeeded", None)
    assert await polled(service, f"/v1/runs/{run}/events") == (events, None)
    assert (await polled(service, f"/v1/sessions/{session}/events"))[0] == events


async def test_resumed_anywhere_the_rest_follows_and_after_the_end_there_is_none(
    service: Caller, performer: Performer
) -> None:
    session, run = await posted(service)
    await performer.answer(run)
    url = f"/v1/runs/{run}/events"
    events = await streamed(service, url)
    for cut, event in enumerate(events[:-1], 1):
        assert await streamed(service, url, Last_Event_ID=event.id) == events[cut:]
        assert await streamed(service, f"{url}?after={event.id}") == events[cut:]
        assert await polled(service, f"{url}?after={event.id}") == (events[cut:], None)
    last = events[-1].id
    ended = await service.call("GET", url, Accept=STREAM, Last_Event_ID=last)
    assert (ended.status_code, ended.content) == (204, b"")
    assert await polled(service, f"{url}?after={last}&wait=30") == ([], None)
    # A session has no end.
    assert await polled(service, f"/v1/sessions/{session}/events?after={last}") == ([], last)


async def test_who_reconnects_has_an_old_after_beside_the_newer_header(
    service: Caller, performer: Performer
) -> None:
    _, run = await posted(service)
    await performer.answer(run)
    for after, header in (("2-1", "2-3"), ("2-3", "2-1")):
        url = f"/v1/runs/{run}/events?after={after}"
        events = await streamed(service, url, Last_Event_ID=header)
        assert [event.id for event in events] == ["2-4"]


async def test_pages_follow_each_other(service: Caller, performer: Performer) -> None:
    session, first = await posted(service)
    _, second = await posted(service, session)
    await performer.answer(first)
    await performer.answer(second)
    read: list[Heard] = []
    url, cursor = f"/v1/sessions/{session}/events", "0-0"
    while page := await polled(service, f"{url}?limit=3&after={cursor}"):
        if not page[0]:
            break
        read, cursor = read + page[0], page[1] or ""
    assert [event.type for event in read] == TOLD * 2
    assert [event.data["run_id"] for event in read] == [first] * 4 + [second] * 4
    assert cursor == read[-1].id


async def test_the_latest_come_first_if_asked_for(service: Caller, performer: Performer) -> None:
    session, run = await posted(service)
    await performer.answer(run)
    url = f"/v1/sessions/{session}/events"
    whole, _ = await polled(service, url)
    first, cursor = await polled(service, f"{url}?order=desc&limit=3")
    assert (first, cursor) == (whole[:0:-1], "2-2")
    assert await polled(service, f"{url}?order=desc&cursor={cursor}") == (whole[:1], None)
    for query in ("order=desc&wait=5", f"after={cursor}&cursor=2-1", "order=down"):
        assert await service.refused("GET", f"{url}?{query}") == "422 validation_failed"


async def test_what_takes_anything_gets_a_stream_and_a_poll_a_page(
    service: Caller, performer: Performer
) -> None:
    _, run = await posted(service)
    await performer.answer(run)
    url = f"/v1/runs/{run}/events"
    assert (await service.call("GET", url)).headers["content-type"] == STREAM
    assert (await service.call("GET", f"{url}?limit=5")).headers["content-type"] == PAGE
    response = await service.call("GET", f"{url}?wait=5", Accept=STREAM)
    assert outcome(response) == "422 validation_failed"


async def test_a_stream_waits_for_its_run_and_ends_with_it(
    app: ASGIApp, service: Caller, performer: Performer
) -> None:
    session, run = await posted(service)
    async with (
        listening(app, service.key, f"/v1/runs/{run}/events") as of_run,
        listening(app, service.key, f"/v1/sessions/{session}/events") as of_session,
    ):
        assert await of_run.until() == []
        await performer.answer(run)
        assert [event.type for event in await of_run.until(end=True)] == TOLD
        assert await of_session.until(events=4) == of_run.heard
        assert not of_session.ended
        _, second = await posted(service, session)
        await performer.answer(second)
        assert len(await of_session.until(events=8)) == 8


async def test_a_run_that_never_starts_ends_its_stream_with_one_event(
    app: ASGIApp, service: Caller, performer: Performer
) -> None:
    session, busy = await posted(service)
    _, run = await posted(service, session)
    async with listening(app, service.key, f"/v1/runs/{run}/events") as listener:
        await listener.until()
        await service.ok("POST", f"/v1/runs/{run}/cancel")
        [settled] = await listener.until(end=True)
    assert (settled.id, settled.type, settled.data["status"]) == ("4-1", "run.settled", "cancelled")
    again = await service.call("GET", f"/v1/runs/{run}/events", Accept=STREAM, Last_Event_ID="4-1")
    assert again.status_code == 204
    await performer.answer(busy)
    assert len(await streamed(service, f"/v1/runs/{busy}/events")) == 4


async def test_a_page_is_held_until_there_is_something(
    service: Caller, performer: Performer, platform: Platform
) -> None:
    session, run = await posted(service)
    url = f"/v1/sessions/{session}/events?wait=30"
    poll = asyncio.create_task(polled(service, url))
    while not platform.signals.watched:  # noqa: ASYNC110 - a poll that is held gives no sign
        await asyncio.sleep(0)
    await performer.answer(run)
    async with asyncio.timeout(10):
        events, cursor = await poll
    assert [event.type for event in events] == TOLD
    assert await polled(service, f"{url.removesuffix('30')}1&after={cursor}") == ([], cursor)


@pytest.mark.parametrize("noun", ["runs", "sessions"])
async def test_a_process_that_leaves_ends_its_streams_in_good_order(
    app: ASGIApp, service: Caller, performer: Performer, platform: Platform, noun: str
) -> None:
    session, run = await posted(service)
    place = f"/v1/runs/{run}" if noun == "runs" else f"/v1/sessions/{session}"
    async with listening(app, service.key, f"{place}/events") as listener:
        await listener.until()
        platform.signals.release()
        assert await listener.until(end=True) == []
    await performer.answer(run)
    assert [event.type for event in (await polled(service, f"{place}/events"))[0]] == TOLD


async def test_a_deleted_session_ends_its_streams(
    app: ASGIApp, service: Caller, performer: Performer
) -> None:
    del performer
    session, run = await posted(service)
    async with (
        listening(app, service.key, f"/v1/sessions/{session}/events") as of_session,
        listening(app, service.key, f"/v1/runs/{run}/events") as of_run,
    ):
        await of_session.until()
        await of_run.until()
        await service.ok("DELETE", f"/v1/sessions/{session}")
        await of_session.until(end=True)
        await of_run.until(end=True)
    for place in (f"sessions/{session}", f"runs/{run}"):
        assert await service.refused("GET", f"/v1/{place}/events") == "404 not_found"
