"""Polling many sessions at once, and the hint when to poll again."""

import asyncio

import httpx
import pytest
from starlette.types import Message

from ingress.app import create_app
from shared.bootstrap import Platform
from shared.domain.pace import Workforce
from shared.ids import new_id
from shared.settings import Settings
from tests.api.caller import Caller
from tests.api.performer import Performer

QUERY = "/v1/status:query"


async def sessions(caller: Caller, count: int) -> list[str]:
    made = [await caller.ok("POST", "/v1/sessions", {"agent": "echo"}) for _ in range(count)]
    return [each["id"] for each in made]


async def post(caller: Caller, session: str) -> str:
    posted = await caller.ok("POST", f"/v1/sessions/{session}/messages", {"content": "hi"})
    run: str = posted["run"]["id"]
    return run


async def test_many_are_answered_in_the_order_asked_each_once(service: Caller) -> None:
    first, second, third = await sessions(service, 3)
    await post(service, second)
    asked = [third, second, first, second]
    found = await service.ok("POST", QUERY, {"session_ids": asked})
    assert [each["id"] for each in found["data"]] == [third, second, first]
    assert [each["status"] for each in found["data"]] == ["idle", "queued", "idle"]
    assert found["missing"] == []
    alone = await service.ok("GET", f"/v1/sessions/{second}/status")
    assert found["data"][1] == {"id": second, **alone}


async def test_what_is_not_there_and_what_is_not_the_callers_are_missing_alike(
    ada: Caller, bob: Caller
) -> None:
    [hers], [his] = await sessions(ada, 1), await sessions(bob, 1)
    unknown, gone = f"sess_{new_id().hex}", (await sessions(ada, 1))[0]
    await ada.ok("DELETE", f"/v1/sessions/{gone}")
    found = await ada.ok("POST", QUERY, {"session_ids": [his, hers, unknown, gone]})
    assert [each["id"] for each in found["data"]] == [hers]
    assert found["missing"] == [his, unknown, gone]


async def test_both_spellings_of_an_id_are_one_session(service: Caller) -> None:
    [session] = await sessions(service, 1)
    digits = session.removeprefix("sess_")
    dashed = "-".join([digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]])
    found = await service.ok("POST", QUERY, {"session_ids": [dashed, session]})
    assert [each["id"] for each in found["data"]] == [session]


async def test_the_etag_is_of_all_that_is_asked(service: Caller) -> None:
    first, second = await sessions(service, 2)
    body = {"session_ids": [first, second]}
    tag = (await service.call("POST", QUERY, body)).headers["etag"]
    again = await service.call("POST", QUERY, body, If_None_Match=tag)
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    other = await service.call("POST", QUERY, {"session_ids": [second, first]}, If_None_Match=tag)
    assert other.status_code == 200
    await post(service, second)
    moved = await service.call("POST", QUERY, body, If_None_Match=tag)
    assert moved.status_code == 200
    assert moved.headers["etag"] != tag


async def test_the_answer_is_held_until_any_of_them_moves(
    service: Caller, platform: Platform
) -> None:
    many = await sessions(service, 5)
    run = await post(service, many[3])
    body = {"session_ids": many}
    tag = (await service.call("POST", QUERY, body)).headers["etag"]
    poll = asyncio.create_task(service.call("POST", f"{QUERY}?wait=30", body, If_None_Match=tag))
    await Performer(platform).answer(run)
    moved = await asyncio.wait_for(poll, 10)
    assert moved.status_code == 200
    assert moved.headers["etag"] != tag
    assert platform.signals.watched == set()


async def test_a_held_answer_that_sees_nothing_is_304_and_an_old_tag_is_not_held(
    service: Caller,
) -> None:
    body = {"session_ids": await sessions(service, 2)}
    tag = (await service.call("POST", QUERY, body)).headers["etag"]
    nothing = await service.call("POST", f"{QUERY}?wait=1", body, If_None_Match=tag)
    assert nothing.status_code == 304
    poll = service.call("POST", f"{QUERY}?wait=60", body, If_None_Match='"native-old"')
    assert (await asyncio.wait_for(poll, 5)).status_code == 200


async def test_a_client_that_leaves_leaves_no_waiter(
    service: Caller, platform: Platform, settings: Settings
) -> None:
    [session] = await sessions(service, 1)
    left = asyncio.Event()
    said: list[Message] = [
        {"type": "http.request", "body": b'{"session_ids": ["%s"]}' % session.encode()}
    ]

    async def receive() -> Message:
        if said:
            return said.pop()
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(_: Message) -> None:
        pytest.fail("there is nobody to answer")

    request = httpx.Request(
        "POST",
        f"http://inturn{QUERY}?wait=60",
        headers={"X-API-Key": service.key, "Content-Type": "application/json"},
    )
    scope = {
        "type": "http",
        "method": request.method,
        "path": request.url.path,
        "raw_path": request.url.raw_path.split(b"?")[0],
        "query_string": request.url.query,
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
    }
    holding = asyncio.ensure_future(create_app(settings, platform)(scope, receive, send))
    async with asyncio.timeout(10):
        while not platform.signals.watched:  # noqa: ASYNC110  # nothing tells
            await asyncio.sleep(0)
    left.set()
    await asyncio.wait_for(holding, 10)
    assert platform.signals.watched == set()


async def test_when_to_ask_again_is_half_of_what_is_to_be_expected(
    service: Caller, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform.forces, "of", lambda _: Workforce(slots=1, seconds=9.0))
    idle, busy = await sessions(service, 2)
    posted = await service.call("POST", f"/v1/sessions/{busy}/messages", {"content": "hi"})
    run = posted.json()["run"]["id"]
    hints = [
        posted,
        await service.call("GET", f"/v1/sessions/{idle}/status"),
        await service.call("GET", f"/v1/sessions/{idle}/status", If_None_Match='"native-1"'),
        await service.call("GET", f"/v1/sessions/{busy}/status"),
        await service.call("POST", QUERY, {"session_ids": [idle, busy]}),
        await service.call("GET", f"/v1/runs/{run}"),
    ]
    assert [each.headers["poll-after"] for each in hints] == ["5", "30", "30", "5", "5", "5"]
    await Performer(platform).answer(run)
    assert "poll-after" not in (await service.call("GET", f"/v1/runs/{run}")).headers


async def test_what_the_workers_measured_reaches_the_hint(
    service: Caller, platform: Platform
) -> None:
    performer = Performer(platform)
    [session] = await sessions(service, 1)
    await performer.answer(await post(service, session))
    assert await platform.execution.beat(performer.worker_id, 9)
    await platform.forces.refresh()
    force = platform.forces.of("default")
    assert force.slots >= 9
    assert force.seconds is not None
