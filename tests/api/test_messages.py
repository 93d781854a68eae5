"""Messages in and out: receipts, waiting, what a list shows."""

import asyncio

import pytest

from shared.bootstrap import Platform
from shared.domain.errors import NotFound, Unavailable
from shared.domain.message import Reply, ToolCall
from shared.domain.outcome import Succeeded
from shared.domain.run import Run
from tests.api.caller import Caller
from tests.api.performer import Performer


@pytest.fixture
async def session(service: Caller) -> str:
    created = await service.ok("POST", "/v1/sessions", {"agent": "echo"})
    return f"/v1/sessions/{created['id']}"


async def test_a_receipt_names_the_run(service: Caller, session: str) -> None:
    response = await service.call("POST", f"{session}/messages", {"content": "hi"})
    receipt = response.json()
    assert response.status_code == 202
    assert response.headers["location"] == f"/v1/runs/{receipt['run']['id']}"
    assert receipt["run"]["message_ids"] == [receipt["message"]["id"]]
    assert receipt["run"]["correlation_id"] == response.headers["x-correlation-id"]
    assert (await service.ok("GET", receipt["links"]["status"]))["queue_depth"] == 1
    assert (await service.ok("GET", receipt["links"]["run"]))["status"] == "queued"


async def test_blocks_come_back_as_they_were(service: Caller, session: str) -> None:
    blocks = [
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
        {"type": "file", "data": "aGk=", "media_type": "text/plain", "name": "hi.txt"},
        {"type": "audio", "url": "https://example.org/a.ogg"},
    ]
    await service.ok("POST", f"{session}/messages", {"content": blocks})
    listed = await service.ok("GET", f"{session}/messages")
    assert listed["data"][0]["content"] == blocks


async def test_the_body_s_correlation_id_wins(service: Caller, session: str) -> None:
    response = await service.call(
        "POST",
        f"{session}/messages",
        {"content": "hi", "correlation_id": "mine"},
        X_Correlation_ID="the-header's",
    )
    assert response.headers["x-correlation-id"] == "mine"
    assert response.json()["message"]["correlation_id"] == "mine"
    found = await service.ok("GET", "/v1/messages?correlation_id=mine")
    assert [each["content"] for each in found["data"]] == ["hi"]


@pytest.mark.parametrize("prefer", ["wait=9", "respond-async, Wait = 9", 'wait="9"; x=y', "wait"])
async def test_prefer_wait_holds_the_answer(
    service: Caller, session: str, platform: Platform, prefer: str
) -> None:
    post = asyncio.create_task(
        service.call("POST", f"{session}/messages", {"content": "hi"}, Prefer=prefer)
    )
    run = await first_run(service, session)
    await Performer(platform).answer(run, "done")
    response = await post
    assert response.status_code == 200
    assert response.headers["preference-applied"] == f"wait={9 if '9' in prefer else 60}"
    assert response.json()["run"]["output"]["content"] == "done"


@pytest.mark.parametrize("prefer", ["wait=x", "wait=-1", "wait=0", "wait=1.5", "waiting=5", "="])
async def test_a_malformed_preference_is_ignored(
    service: Caller, session: str, prefer: str
) -> None:
    response = await service.call("POST", f"{session}/messages", {"content": "hi"}, Prefer=prefer)
    assert response.status_code == 202
    assert "preference-applied" not in response.headers


async def test_prefer_wait_gives_up_with_202(service: Caller, session: str) -> None:
    response = await service.call("POST", f"{session}/messages", {"content": "x"}, Prefer="wait=1")
    assert response.status_code == 202
    assert response.headers["preference-applied"] == "wait=1"


@pytest.mark.parametrize("trouble", [Unavailable("away"), NotFound("run")])
async def test_what_was_accepted_is_202_even_if_waiting_fails(
    service: Caller,
    session: str,
    platform: Platform,
    monkeypatch: pytest.MonkeyPatch,
    trouble: Exception,
) -> None:
    async def wait(*_: object, **__: object) -> Run:
        raise trouble

    monkeypatch.setattr(platform.runs, "wait", wait)
    response = await service.call("POST", f"{session}/messages", {"content": "x"}, Prefer="wait=9")
    assert response.status_code == 202
    assert response.json()["run"]["status"] == "queued"


async def test_a_cancelled_run_says_why(service: Caller, session: str) -> None:
    run = (await service.ok("POST", f"{session}/messages", {"content": "hi"}))["run"]["id"]
    await service.ok("POST", f"/v1/runs/{run}/cancel", {"reason": "changed my mind"})
    read = await service.ok("GET", f"/v1/runs/{run}")
    assert (read["status"], read["cancel"]["reason"]) == ("cancelled", "changed my mind")


async def test_include_adds_what_was_done_to_what_was_said(
    service: Caller, session: str, platform: Platform
) -> None:
    run = (await service.ok("POST", f"{session}/messages", {"content": "hi"}))["run"]["id"]
    performer = Performer(platform)
    await performer.start(run)
    reply = Reply(
        content="42",
        tool_calls=(ToolCall(call_id="c1", name="add", arguments={"a": 40}, result=42),),
        retrieved_context=({"chunk_id": "k1", "content": "facts"},),
        reasoning="easy",
    )
    await performer.end(run, Succeeded(reply=reply))
    plain = (await service.ok("GET", f"{session}/messages"))["data"]
    assert [each["role"] for each in plain] == ["user", "assistant"]
    assert "reasoning" not in plain[1]
    include = "?include=tools,retrieved_context,reasoning"
    whole = (await service.ok("GET", f"{session}/messages{include}"))["data"]
    assert {each["role"] for each in whole} == {"user", "assistant", "tool"}
    answer = next(each for each in whole if each["role"] == "assistant")
    assert answer["reasoning"] == "easy"
    assert answer["retrieved_context"]["chunks"][0]["content"] == "facts"
    found = await service.ok("GET", f"/v1/runs/{run}/retrieved-context")
    assert found == answer["retrieved_context"]


async def test_a_list_is_read_page_by_page(service: Caller, session: str) -> None:
    for number in range(5):
        await service.ok("POST", f"{session}/messages", {"content": str(number)})
    assert await pages(service, f"{session}/messages?limit=2") == list("01234")
    assert await pages(service, f"{session}/messages?limit=2&order=desc") == list("43210")


async def pages(caller: Caller, url: str) -> list[str]:
    contents: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = await caller.ok("GET", f"{url}&cursor={cursor}" if cursor else url)
        contents += [each["content"] for each in page["data"]]
        cursor = page["next_cursor"]
    return contents


async def first_run(caller: Caller, session: str) -> str:
    """Wait until the session moves, then name its run."""
    if not (runs := (await caller.ok("GET", f"{session}/runs"))["data"]):
        await caller.ok("GET", f"{session}/status?wait=5")
        runs = (await caller.ok("GET", f"{session}/runs"))["data"]
    name: str = runs[0]["id"]
    return name
