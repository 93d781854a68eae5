"""Atthene: what a message may say, and the variables that come with it."""

import pytest

from shared.bootstrap import Platform
from shared.settings import Settings
from tests.api.atthene import at, configured, executed, inputs_of, opened
from tests.api.caller import Caller, Json
from tests.api.estate import rows

BLOCKS: list[Json] = [
    {"type": "text", "text": "What is in these?"},
    {"type": "image_url", "image_url": {"url": "https://example.com/a.jpg"}},
    {"type": "file", "data": "aGk=", "media_type": "text/plain", "name": "a.txt"},
    {"type": "file", "url": "https://example.com/a.pdf"},
    {"type": "audio", "url": "data:audio/wav;base64,aGk="},
]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Where a queue may be filled."""
    return settings.model_copy(update={"max_queued_per_session": 2})


@pytest.fixture
async def session(service: Caller) -> str:
    return await opened(service)


async def test_content_may_be_blocks(service: Caller, platform: Platform, session: str) -> None:
    body = (await executed(service, platform, session, {"content": BLOCKS})).json()
    assert body["messages"][0]["content"] == BLOCKS
    [asked, _] = (await service.ok("GET", at(session, "messages")))["messages"]
    assert asked["content"] == BLOCKS


TEXT = {"type": "text", "text": "x"}
WRONG: dict[str, tuple[Json, str]] = {
    "none": ({}, "content"),
    "null": ({"content": None}, "content"),
    "number": ({"content": 1}, "content"),
    "empty": ({"content": ""}, "content"),
    "no blocks": ({"content": []}, "content"),
    "many blocks": ({"content": [TEXT] * 21}, "content"),
    "no object": ({"content": ["x"]}, "content.0"),
    "video": ({"content": [TEXT, {"type": "video", "url": "x"}]}, "block 1"),
    "video's name": ({"content": [{"type": "video"}]}, "'video'"),
    "no type": ({"content": [{"text": "x"}]}, "content.0"),
    "empty text": ({"content": [{"type": "text", "text": ""}]}, "content.0.text"),
    "no url": ({"content": [{"type": "image_url", "image_url": {"url": "x"}}]}, "url"),
    "two sources": (
        {"content": [{"type": "file", "url": "https://a.b", "data": "aGk="}]},
        "content.0",
    ),
    "no base64": (
        {"content": [{"type": "file", "data": "!", "media_type": "a/b"}]},
        "base64",
    ),
    "correlation": ({"content": "x", "correlation_id": "a b"}, "correlation_id"),
    "long correlation": ({"content": "x", "correlation_id": "a" * 129}, "correlation_id"),
    "inputs": ({"content": "x", "inputs": []}, "inputs"),
    "large inputs": ({"content": "x", "inputs": {"a": "x" * 65_536}}, "inputs"),
    "no object at all": ("hi", "body"),
}


@pytest.mark.parametrize(("body", "where"), WRONG.values(), ids=WRONG.keys())
async def test_what_cannot_be_said_is_named_and_leaves_nothing(
    service: Caller, settings: Settings, session: str, body: Json, where: str
) -> None:
    before = await rows(settings)
    response = await service.call("POST", at(session, "execute"), body)
    error = response.json()["error"]
    assert (response.status_code, error["type"]) == (400, "invalid_request_error")
    assert where in error["message"]
    assert error["details"]["errors"]
    assert await rows(settings) == before


async def test_content_has_a_length(
    service: Caller, platform: Platform, settings: Settings, session: str
) -> None:
    most, url = settings.max_content_chars, at(session, "execute")
    half = {"type": "text", "text": "x" * (most // 2 + 1)}
    for content in ("x" * (most + 1), [half, half]):
        refused = await service.refused("POST", url, {"content": content})
        assert refused == "413 payload_too_large_error"
    assert (await executed(service, platform, session, {"content": "x" * most})).is_success


async def test_unknown_fields_are_ignored(
    service: Caller, platform: Platform, session: str
) -> None:
    body = {"content": "hi", "stream": False, "inputs": None, "correlation_id": None}
    assert (await executed(service, platform, session, body)).json()["success"]


DECLARED: Json = [
    {"name": "customer", "type": "string", "required": True},
    {"name": "page", "type": "number", "scope": "request", "default": 1},
    {"name": "token", "type": "string", "scope": "request", "required": True},
]


async def test_a_sessions_variables_are_given_once(
    service: Caller, platform: Platform, settings: Settings
) -> None:
    session = (await configured(service, variables=DECLARED))["session_id"]
    url = at(session, "execute")
    before = await rows(settings)
    for inputs, wrong in (
        ({}, {"inputs.customer", "inputs.token"}),
        ({"customer": 1, "token": "t"}, {"inputs.customer"}),
        ({"customer": "Ada"}, {"inputs.token"}),
    ):
        refused = await service.call("POST", url, {"content": "hi", "inputs": inputs})
        assert refused.status_code == 400
        errors = refused.json()["error"]["details"]["errors"]
        assert {each["field"] for each in errors} == wrong
    assert await rows(settings) == before

    async def told(**inputs: Json) -> Json:
        body = {"content": "hi", "inputs": inputs}
        response = await executed(service, platform, session, body)
        return await inputs_of(platform, response.json()["execution_id"])

    first = await told(customer="Ada", token="t", more=[1])
    assert first == {"customer": "Ada", "token": "t", "more": [1], "page": 1}
    assert await told(token="u", page=2) == {"customer": "Ada", "token": "u", "page": 2}
    assert await told(token="u", customer="Bob") == {"customer": "Bob", "token": "u", "page": 1}
    assert await told(token="u") == {"customer": "Bob", "token": "u", "page": 1}
    state = await service.ok("GET", f"/v1/sessions/{session}/state")
    assert state["memory"] == {"variables": {"customer": "Bob"}}


async def test_what_is_refused_is_not_remembered(service: Caller, settings: Settings) -> None:
    session = (await configured(service, variables={"customer": "string"}))["session_id"]
    url = f"/v1/sessions/{session}/messages"
    for _ in range(settings.max_queued_per_session):
        await service.ok("POST", url, {"content": "first"})
    body = {"content": "hi", "inputs": {"customer": "Ada"}}
    refused = await service.refused("POST", at(session, "execute"), body)
    assert refused == "429 rate_limit_error"
    state = await service.ok("GET", f"/v1/sessions/{session}/state")
    assert state["memory"] == {}


async def test_what_a_session_remembers_has_a_size(service: Caller, platform: Platform) -> None:
    session = (await configured(service, variables={"a": "string", "b": "string"}))["session_id"]
    large = "x" * 40_000
    assert (
        await executed(service, platform, session, {"content": "hi", "inputs": {"a": large}})
    ).is_success
    body = {"content": "hi", "inputs": {"b": large}}
    refused = await service.refused("POST", at(session, "execute"), body)
    assert refused == "400 invalid_request_error"
    assert (await service.ok("GET", at(session, "status")))["message_count"] == 2


async def test_who_replays_is_not_asked_for_variables(service: Caller, platform: Platform) -> None:
    session = (await configured(service, variables=DECLARED))["session_id"]
    first = {"content": "hi", "inputs": {"customer": "Ada", "token": "t"}}
    await executed(service, platform, session, first)
    body = {"content": "hi", "inputs": {"token": "t"}}
    await executed(service, platform, session, body, Idempotency_Key="k")
    state = await service.call("GET", f"/v1/sessions/{session}/state")
    forget = {"memory": {"variables": None}}
    await service.ok(
        "PATCH", f"/v1/sessions/{session}/state", forget, If_Match=state.headers["etag"]
    )
    again = await service.ok("POST", at(session, "execute"), body, Idempotency_Key="k")
    assert again["status"] == "completed"
    refused = await service.refused("POST", at(session, "execute"), body)
    assert refused == "400 invalid_request_error"
