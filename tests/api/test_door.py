"""What every request meets, whatever its route."""

import json
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.types import Message

from ingress.app import create_app
from shared.bootstrap import Platform
from shared.settings import Settings
from tests.api.caller import Caller, outcome


async def test_unknown_routes_are_404_before_anybody_is_asked_who_they_are(
    http: httpx.AsyncClient,
) -> None:
    for path in ("/", "/nothing", "/v1", "/v1/", "/v1/nothing", "/v10/sessions", "/docs/x"):
        assert outcome(await http.get(path)) == "404 unknown_route", path


async def test_the_asterisk_of_options_is_no_route(settings: Settings, platform: Platform) -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request"}

    scope = {"type": "http", "method": "OPTIONS", "path": "*", "headers": [], "query_string": b""}
    await create_app(settings, platform)(scope, receive, send)
    assert [message.get("status") for message in sent] == [404, None]


async def test_a_wrong_method_is_told_the_right_ones(http: httpx.AsyncClient) -> None:
    response = await http.put("/v1/sessions")
    assert outcome(response) == "405 method_not_allowed"
    assert response.headers["allow"] == "GET, POST"
    assert (await http.post("/healthz")).headers["allow"] == "GET, HEAD"


async def test_one_trailing_slash_is_dropped(admin: Caller) -> None:
    assert (await admin.call("GET", "/v1/agents/")).status_code == 200
    assert (await admin.call("GET", "/v1/agents//")).status_code == 404


async def test_a_correlation_id_comes_back(http: httpx.AsyncClient, admin: Caller) -> None:
    for response in (
        await admin.call("GET", "/v1/agents", X_Correlation_ID="c-1"),
        await http.get("/v1/agents", headers={"X-Correlation-ID": "c-1"}),
        await http.get("/nothing", headers={"X-Correlation-ID": "c-1"}),
    ):
        assert response.headers["x-correlation-id"] == "c-1"
    made_up = (await http.get("/healthz")).headers["x-correlation-id"]
    assert len(made_up) == 32


@pytest.mark.parametrize("given", ["x" * 129, "a b", "a\tb", "\u00e9"])
async def test_a_correlation_id_is_visible_ascii(http: httpx.AsyncClient, given: str) -> None:
    response = await http.get("/v1/agents", headers={b"X-Correlation-ID": given.encode()})
    assert outcome(response) == "422 validation_failed"
    assert response.json()["errors"][0]["loc"] == ["header", "X-Correlation-ID"]
    assert len(response.headers["x-correlation-id"]) == 32


async def post(caller: Caller, body: bytes, media_type: str = "application/json") -> str:
    headers = {"X-API-Key": caller.key, "Content-Type": media_type}
    response = await caller.http.post("/v1/sessions", content=body, headers=headers)
    return outcome(response)


async def test_a_body_is_json_and_says_so(admin: Caller) -> None:
    assert await post(admin, b"{}", "text/plain") == "415 unsupported_media_type"
    assert await post(admin, b"{}", "application/json; charset=utf-8") == "422 validation_failed"
    assert await post(admin, b"", "application/json") == "422 validation_failed"
    assert await post(admin, b"[]") == "422 validation_failed"
    assert await post(admin, b"null") == "422 validation_failed"


async def test_a_body_over_the_limit_is_not_read_whole(admin: Caller) -> None:
    taken = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        while True:
            taken += 1
            assert taken < 1000
            yield b"[" * 10_000

    headers = {"X-API-Key": admin.key, "Content-Type": "application/json"}
    response = await admin.http.post("/v1/sessions", content=endless(), headers=headers)
    assert outcome(response) == "413 payload_too_large"
    assert taken < 20
    assert await post(admin, b"x" * 100_001) == "413 payload_too_large"


async def test_a_declared_length_is_enough_to_be_refused(admin: Caller) -> None:
    async def nothing() -> AsyncIterator[bytes]:
        pytest.fail("the body was read")
        yield b""

    headers = {
        "X-API-Key": admin.key,
        "Content-Type": "application/json",
        "Content-Length": "100001",
    }
    request = admin.http.build_request("POST", "/v1/sessions", content=nothing(), headers=headers)
    assert outcome(await admin.http.send(request)) == "413 payload_too_large"


async def test_our_own_fault_is_a_500_without_details(
    admin: Caller, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise ZeroDivisionError("the secret of the house")

    monkeypatch.setattr(platform.agents, "list", broken)
    response = await admin.call("GET", "/v1/agents")
    assert outcome(response) == "500 internal_error"
    assert "secret" not in response.text


async def test_an_answer_has_the_shape_it_promised(admin: Caller) -> None:
    response = await admin.call("GET", "/v1/sessions?limit=0")
    assert outcome(response) == "422 validation_failed"
    problem = json.loads(response.content)
    assert problem["errors"][0]["loc"] == ["query", "limit"]
    assert problem["type"] == "urn:inturn:problem:validation_failed"
