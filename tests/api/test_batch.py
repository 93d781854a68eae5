"""Batches: every good message is committed, a bad one is named and stops no other."""

import json
from collections.abc import AsyncIterator, Callable, Sequence

import httpx
import pytest

from ingress.app import create_app
from shared.bootstrap import Platform
from shared.settings import Settings
from tests.api.caller import Caller, Json, broken_promises, outcome
from tests.api.estate import rows

URL = "/v1/messages:batch"
JSON, NDJSON = "application/json", "application/x-ndjson"
MIB = 1024 * 1024
Body = bytes | AsyncIterator[bytes]


@pytest.fixture
async def session(service: Caller) -> str:
    opened = await service.ok("POST", "/v1/sessions", {"agent": "echo"})
    return str(opened["id"])


async def send(
    caller: Caller, content: Body, media_type: str = NDJSON, **headers: str
) -> httpx.Response:
    sent = {"X-API-Key": caller.key, "Content-Type": media_type, **headers}
    response = await caller.http.post(URL, content=content, headers=sent)
    assert broken_promises(response) == []
    return response


async def results(
    caller: Caller, content: Body, media_type: str = NDJSON, **headers: str
) -> list[Json]:
    response = await send(caller, content, media_type, **headers)
    assert response.status_code == 200, response.text
    made: list[Json] = response.json()["results"]
    assert [each["index"] for each in made] == list(range(len(made)))
    return made


def array(items: Sequence[Json]) -> tuple[bytes, str]:
    return json.dumps(items).encode(), JSON


def lines(items: Sequence[Json]) -> tuple[bytes, str]:
    return "\n".join(map(json.dumps, items)).encode(), NDJSON


async def contents(caller: Caller, session: str) -> list[str]:
    listed = await caller.ok("GET", f"/v1/sessions/{session}/messages?limit=200")
    return [each["content"] for each in listed["data"]]


@pytest.mark.parametrize("write", [array, lines])
async def test_messages_of_a_session_keep_their_order(
    service: Caller, session: str, write: Callable[[Sequence[Json]], tuple[bytes, str]]
) -> None:
    other = (await service.ok("POST", "/v1/sessions", {"agent": "echo"}))["id"]
    items = [{"session_id": (session, other)[n % 2], "content": str(n)} for n in range(60)]
    made = await results(service, *write(items))
    assert {each["status"] for each in made} == {202}
    assert await contents(service, session) == [str(n) for n in range(0, 60, 2)]
    assert await contents(service, other) == [str(n) for n in range(1, 60, 2)]
    run = await service.ok("GET", f"/v1/runs/{made[7]['run']['id']}")
    assert run["message_ids"] == [made[7]["message"]["id"]]
    assert (await service.ok("GET", f"/v1/sessions/{session}"))["queue_depth"] == 30


async def test_each_item_may_open_a_session_of_its_own(service: Caller) -> None:
    opening = {"agent": "echo", "user_id": "u", "metadata": {"n": 1}}
    item = {"session": opening, "content": "hi", "correlation_id": "c"}
    made = await results(service, *lines([item, item]))
    opened = [each["message"]["session_id"] for each in made]
    assert len(set(opened)) == 2
    listed = await service.ok("GET", "/v1/sessions?correlation_id=c")
    assert {each["id"] for each in listed["data"]} == set(opened)
    for each in listed["data"]:
        assert (each["user_id"], each["metadata"], each["status"]) == ("u", {"n": 1}, "queued")
        assert (each["message_count"], each["queue_depth"]) == (1, 1)
        assert await contents(service, each["id"]) == ["hi"]


async def test_a_bad_item_is_named_and_stops_no_other(
    ada: Caller, service: Caller, settings: Settings
) -> None:
    theirs = (await service.ok("POST", "/v1/sessions", {"agent": "echo", "user_id": "bob"}))["id"]
    mine = {"session": {"agent": "echo"}}
    items = [
        {"session_id": theirs, "content": "not mine"},
        {"session": {"agent": "nobody"}, "content": "x"},
        {"session": {"agent": "echo", "user_id": "bob"}, "content": "x"},
        {**mine, "content": "x", "priority": 1000},
        {**mine, "content": "good"},
        {"content": "nowhere"},
        {**mine, "session_id": theirs, "content": "twice"},
        {**mine, "content": "x", "idempotency_key": "a b"},
        "no object",
    ]
    before = await rows(settings)
    made = await results(ada, *array(items))
    assert [(each["status"], each.get("error", {}).get("code")) for each in made] == [
        (404, "not_found"),
        (404, "not_found"),
        (403, "forbidden"),
        (422, "validation_failed"),
        (202, None),
        (422, "validation_failed"),
        (422, "validation_failed"),
        (422, "validation_failed"),
        (422, "validation_failed"),
    ]
    assert made[7]["error"]["errors"][0]["loc"] == ["body", 7, "idempotency_key"]
    after = await rows(settings)
    grown = {name: after[name] - before[name] for name in after if after[name] != before[name]}
    assert grown == {"sessions": 1, "messages": 1, "runs": 1, "run_inputs": 1}


async def test_what_a_session_has_no_room_for_is_refused_item_by_item(
    service: Caller, session: str
) -> None:
    items = [{"session_id": session, "content": str(n)} for n in range(102)]
    opening = {"session": {"agent": "echo"}, "content": "elsewhere"}
    made = await results(service, *array([*items, opening]))
    assert [each["status"] for each in made] == [202] * 100 + [429] * 2 + [202]
    assert made[100]["error"]["code"] == "session_queue_full"
    assert made[100]["error"]["retry_after"] > 0


async def test_a_malformed_line_is_an_item(service: Caller, session: str) -> None:
    good = json.dumps({"session_id": session, "content": "hé"}).encode()
    wrong = [b'{"a":', b"\xff", b"[" * 65 + b"]" * 65, b"NaN", b'{"content":"\\u0000"}', b"1 2"]
    made = await results(service, b"\n".join([good, *wrong, good]))
    statuses = [each["status"] for each in made]
    assert statuses == [202, 400, 400, 400, 400, 422, 400, 202]
    assert made[1]["error"]["code"] == "invalid_json"
    assert "line" in made[1]["error"]["detail"]
    assert made[5]["error"]["errors"][0]["loc"] == ["body", 5, "content"]
    assert await contents(service, session) == ["hé", "hé"]


async def pieces(content: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


@pytest.mark.parametrize("size", [1, 7, 100])
async def test_lines_are_found_wherever_the_body_is_cut(
    service: Caller, session: str, size: int
) -> None:
    items = [json.dumps({"session_id": session, "content": f"é{n}"}) for n in range(3)]
    content = f"\n\r\n{items[0]}\r\n \t\n{items[1]}\n\n{items[2]}".encode()
    made = await results(service, pieces(content, size))
    assert [each["message"]["content"] for each in made] == ["é0", "é1", "é2"]


@pytest.mark.parametrize(("content", "media_type"), [(b"[]", JSON), (b"", NDJSON), (b"\n", NDJSON)])
async def test_nothing_is_a_batch_too(service: Caller, content: bytes, media_type: str) -> None:
    assert await results(service, content, media_type) == []


ITEM = {"session": {"agent": "echo"}, "content": "x"}
LINE = json.dumps(ITEM).encode()
TOO_LONG = LINE + b"\n" + b" " * (10 * MIB)

REFUSED = [
    ("no array", b'{"0":1}', JSON, "422 validation_failed"),
    ("malformed", b"[" + LINE + b",", JSON, "400 invalid_json"),
    ("no body", b"", JSON, "400 invalid_json"),
    ("not UTF-8", b'["\xff"]', JSON, "400 invalid_json"),
    ("NaN", b"[" + LINE + b",NaN]", JSON, "400 invalid_json"),
    ("array, 1001 items", b"[" + b",".join([LINE] * 1001) + b"]", JSON, "422 validation_failed"),
    ("1001 lines", b"\n".join([LINE] * 1001), NDJSON, "422 validation_failed"),
    ("array, 10 MiB", TOO_LONG, JSON, "413 payload_too_large"),
    ("lines, 10 MiB", TOO_LONG, NDJSON, "413 payload_too_large"),
    ("text", LINE, "text/plain", "415 unsupported_media_type"),
    ("no type", LINE, "", "415 unsupported_media_type"),
    ("latin-1", LINE, "application/x-ndjson; charset=latin-1", "415 unsupported_media_type"),
]


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_bad_body_is_refused_whole(
    service: Caller, settings: Settings, streamed: bool
) -> None:
    before = await rows(settings)
    for kind, content, media_type, expected in REFUSED:
        body = pieces(content, MIB) if streamed else content
        refused = await send(service, body, media_type, **{"Idempotency-Key": "k"})
        assert outcome(refused) == expected, kind
    assert await rows(settings) == before
    assert len(await results(service, b"\n".join([LINE] * 3))) == 3


async def test_a_client_that_leaves_has_stored_nothing(
    service: Caller, settings: Settings, platform: Platform
) -> None:
    before = await rows(settings)
    said = [
        {"type": "http.request", "body": LINE + b"\n", "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> Json:
        return said.pop(0)

    async def send_(message: Json) -> None:
        raise AssertionError(message)

    headers = [(b"x-api-key", service.key.encode()), (b"content-type", NDJSON.encode())]
    scope = {
        "type": "http",
        "method": "POST",
        "path": URL,
        "raw_path": URL.encode(),
        "query_string": b"",
        "headers": headers,
        "root_path": "",
    }
    await create_app(settings, platform)(scope, receive, send_)
    assert await rows(settings) == before
