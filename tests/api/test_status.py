"""Polling: the version as an ETag, 304, the long poll."""

import asyncio

import pytest

from ingress.dialects.native.prefer import etag, none_match
from shared.bootstrap import Platform
from tests.api.caller import Caller
from tests.api.performer import Performer


@pytest.fixture
async def session(service: Caller) -> str:
    created = await service.ok("POST", "/v1/sessions", {"agent": "echo"})
    return f"/v1/sessions/{created['id']}"


async def test_the_etag_is_the_version(service: Caller, session: str) -> None:
    response = await service.call("GET", f"{session}/status")
    assert response.headers["etag"] == '"native-1"'
    again = await service.call("GET", f"{session}/status", If_None_Match='"native-1"')
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == '"native-1"'
    await service.ok("POST", f"{session}/messages", {"content": "hi"})
    moved = await service.call("GET", f"{session}/status", If_None_Match='"native-1"')
    assert (moved.status_code, moved.json()["status"]) == (200, "queued")


@pytest.mark.parametrize(
    ("header", "unseen"),
    [
        (None, True),
        ('"native-7"', False),
        ('W/"native-7"', False),
        ('"native-6", "native-7"', False),
        ("*", False),
        ('"native-6"', True),
        ('"elizaos-7"', True),
        ("native-7", True),
        ("", True),
    ],
)
def test_if_none_match(header: str | None, unseen: bool) -> None:
    assert none_match(header, etag(7)) is unseen


async def test_a_long_poll_ends_when_the_session_moves(
    service: Caller, session: str, platform: Platform
) -> None:
    run = (await service.ok("POST", f"{session}/messages", {"content": "hi"}))["run"]["id"]
    first = await service.call("GET", f"{session}/status")
    known = first.headers["etag"]
    poll = asyncio.create_task(
        service.call("GET", f"{session}/status?wait=30", If_None_Match=known)
    )
    performer = Performer(platform)
    await performer.answer(run)
    response = await asyncio.wait_for(poll, 10)
    assert response.status_code == 200
    assert response.headers["etag"] != known


async def test_a_long_poll_without_a_version_waits_from_the_one_found(
    service: Caller, session: str
) -> None:
    response = await service.call("GET", f"{session}/status?wait=1")
    assert (response.status_code, response.headers["etag"]) == (200, '"native-1"')


async def test_a_long_poll_that_knows_an_old_version_is_answered_at_once(
    service: Caller, session: str
) -> None:
    poll = service.call("GET", f"{session}/status?wait=60", If_None_Match='"native-0"')
    assert (await asyncio.wait_for(poll, 5)).status_code == 200


async def test_a_long_poll_that_sees_nothing_is_304(service: Caller, session: str) -> None:
    poll = await service.call("GET", f"{session}/status?wait=1", If_None_Match='"native-1"')
    assert poll.status_code == 304


async def test_a_run_is_waited_for(service: Caller, session: str, platform: Platform) -> None:
    run = (await service.ok("POST", f"{session}/messages", {"content": "hi"}))["run"]["id"]
    wait = asyncio.create_task(service.ok("GET", f"/v1/runs/{run}?wait=30"))
    await Performer(platform).answer(run, "done")
    assert (await asyncio.wait_for(wait, 10))["output"]["content"] == "done"
