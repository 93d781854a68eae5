"""Browsers on other origins."""

import httpx
import pytest
from starlette.types import ASGIApp

from ingress.cors import with_cors
from ingress.middleware import Door
from shared.settings import Settings
from tests.api.caller import Caller
from tests.api.listener import listening

APP, STRANGER = "https://app.example", "https://evil.example"
ASKED = ("GET", "POST", "PATCH", "DELETE")
SENT = "x-api-key, authorization, content-type, idempotency-key, last-event-id, prefer, if-match"
ALLOWED, READ = "access-control-allow-origin", "access-control-expose-headers"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"cors_origins": (APP, "http://localhost:5173")})


async def preflight(
    http: httpx.AsyncClient, origin: str, method: str = "POST", path: str = "/v1/sessions"
) -> httpx.Response:
    headers = {"Origin": origin, "Access-Control-Request-Method": method}
    return await http.options(path, headers=headers | {"Access-Control-Request-Headers": SENT})


async def test_a_browser_may_ask_before_it_says_who_it_is(http: httpx.AsyncClient) -> None:
    for path in ("/v1/sessions", "/api/messaging/sessions", "/api/v1/sessions", "/api/agents"):
        for method in ASKED:
            response = await preflight(http, APP, method, path)
            assert (response.status_code, response.headers[ALLOWED]) == (200, APP)
            assert response.headers["access-control-allow-credentials"] == "true"
    for origin in (STRANGER, "null", "https://app.example.evil", "http://app.example"):
        response = await preflight(http, origin)
        assert (response.status_code, response.headers.get(ALLOWED)) == (400, None)


async def test_answers_and_errors_may_be_read(service: Caller, http: httpx.AsyncClient) -> None:
    session = await service.ok("POST", "/v1/sessions", {"agent": "echo"})
    key = {"X-API-Key": service.key}
    for path, status in (
        (f"/v1/sessions/{session['id']}/status", 200),
        ("/v1/sessions?limit=0", 422),
        ("/v1/nothing", 404),
        ("/api/agents/nothing", 404),
        ("/healthz", 200),
    ):
        response = await http.get(path, headers=key | {"Origin": APP})
        assert (response.status_code, response.headers[ALLOWED]) == (status, APP)
        assert {"ETag", "Location", "Retry-After", "RateLimit", "Poll-After"} <= set(
            response.headers[READ].split(", ")
        )
        assert "Origin" in response.headers["vary"]
        assert ALLOWED not in (await http.get(path, headers=key)).headers
        unread = await http.get(path, headers=key | {"Origin": STRANGER})
        assert (unread.status_code, unread.headers.get(ALLOWED)) == (status, None)
    refused = await http.get("/v1/sessions", headers={"Origin": APP})
    assert (refused.status_code, refused.headers[ALLOWED]) == (401, APP)


async def test_a_stream_is_still_a_stream(service: Caller, app: ASGIApp) -> None:
    session = await service.ok("POST", "/v1/sessions", {"agent": "echo"})
    url = f"/v1/sessions/{session['id']}"
    async with listening(app, service.key, f"{url}/events", Origin=APP) as listener:
        await listener.until()
        await service.ok("POST", f"{url}/messages", {"content": "hi"})
        assert not listener.ended


async def test_anybody_may_be_let_in_but_not_with_credentials(
    http: httpx.AsyncClient, app: ASGIApp
) -> None:
    del http
    anybody = with_cors(app, Settings(cors_origins=("*",)))
    transport = httpx.ASGITransport(anybody)
    async with httpx.AsyncClient(transport=transport, base_url="http://inturn") as client:
        response = await preflight(client, STRANGER)
        assert (response.status_code, response.headers[ALLOWED]) == (200, "*")
        assert "access-control-allow-credentials" not in response.headers
        answered = await client.get("/healthz", headers={"Origin": STRANGER})
        assert answered.headers[ALLOWED] == "*"


def test_where_nobody_is_named_nothing_is_between() -> None:
    door = Door(())
    assert with_cors(door, Settings()) is door


async def test_sockets_come_from_the_origins_that_are_named_and_from_our_own(url: str) -> None:
    at = f"{url}/socket.io/?EIO=4&transport=polling"
    expected = {APP: 200, url: 200, url.replace("http", "https"): 200, "https://evil.example": 400}
    async with httpx.AsyncClient() as http:
        got = {
            origin: (await http.get(at, headers={"Origin": origin})).status_code
            for origin in expected
        }
    assert got == expected
