"""Atthene: every error in one shape, also those that no route of it answers."""

import httpx
import pytest

from shared.bootstrap import Platform
from shared.domain.errors import InternalError, Unavailable
from tests.api.atthene import RUNTIME, SESSIONS, at, opened, problem
from tests.api.caller import Caller
from tests.api.contracts import broken_promises

NOBODY = "sess_0198c0de5e557c0de0000000c0ffee01"
NOT_SERVED = ["agent/validate", "agent/validate/", "sessions/x/y", "runtime", "ws/amas", ""]


@pytest.mark.parametrize("path", NOT_SERVED)
async def test_what_is_not_served_is_not_found(http: httpx.AsyncClient, path: str) -> None:
    """Nobody is asked who he is."""
    response = await http.post(f"/api/v1/{path}")
    assert problem(response)[:2] == (404, "not_found_error")
    assert broken_promises(response) == []


async def test_there_is_no_socket(http: httpx.AsyncClient) -> None:
    assert (await http.get("/ws/amas")).status_code == 404


ROUTES = [
    ("POST", SESSIONS),
    ("GET", SESSIONS),
    ("POST", f"{SESSIONS}from-agent/echo/"),
    ("GET", f"{SESSIONS}from-agent/?agent_key=echo"),
    ("GET", f"{SESSIONS}{NOBODY}/"),
    ("POST", f"{RUNTIME}{NOBODY}/execute/"),
    ("GET", f"{RUNTIME}{NOBODY}/messages/"),
    ("GET", f"{RUNTIME}{NOBODY}/status/"),
]


@pytest.mark.parametrize(("method", "url"), ROUTES)
async def test_a_key_is_needed(http: httpx.AsyncClient, method: str, url: str) -> None:
    for secret in ("", "unknown"):
        refused = await Caller(http, secret).call(method, url, {} if method == "POST" else None)
        assert problem(refused)[:2] == (401, "authentication_error")
        assert refused.headers["www-authenticate"]


async def test_the_key_may_be_a_bearer(service: Caller) -> None:
    bearer = Caller(service.http, "")
    assert await bearer.ok("GET", SESSIONS, Authorization=f"Bearer {service.key}")


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
async def test_a_method_that_a_route_does_not_take(service: Caller, method: str) -> None:
    for url, allowed in ((SESSIONS, "GET, POST"), (f"{RUNTIME}{NOBODY}/execute/", "POST")):
        response = await service.call(method, url)
        assert problem(response)[:2] == (405, "invalid_request_error")
        assert response.headers["allow"] == allowed


@pytest.mark.parametrize(
    "session", [NOBODY, "1", "sess_1", f"run_{'0' * 32}", "%00", "%ff", "a b", "x" * 300]
)
@pytest.mark.parametrize("verb", ["", "messages", "status", "execute"])
async def test_no_such_session(service: Caller, session: str, verb: str) -> None:
    if verb:
        body = {"content": "hi"} if verb == "execute" else None
        method, url = ("POST" if body else "GET"), at(session, verb)
    else:
        method, url, body = "GET", f"{SESSIONS}{session}/", None
    response = await service.call(method, url, body)
    assert problem(response) == (404, "not_found_error", "No such session.")


async def test_a_deleted_session_is_not_there(service: Caller) -> None:
    session = await opened(service)
    await service.ok("DELETE", f"/v1/sessions/{session}")
    for url in (f"{SESSIONS}{session}/", at(session, "messages"), at(session, "status")):
        assert await service.refused("GET", url) == "404 not_found_error"


async def test_a_session_that_another_contract_ended_is_read_and_not_written(
    service: Caller,
) -> None:
    session = await opened(service)
    await service.ok("DELETE", f"/api/messaging/sessions/{session}")
    assert (await service.ok("GET", at(session, "status")))["status"] == "idle"
    assert (await service.ok("GET", at(session, "messages")))["total"] == 0
    response = await service.call("POST", at(session, "execute"), {"content": "hi"})
    assert problem(response)[:2] == (404, "not_found_error")
    assert "ended" in problem(response)[2]


async def test_json_that_is_none(service: Caller) -> None:
    headers = {"x-api-key": service.key, "content-type": "application/json"}
    url = at(await opened(service), "execute")
    for raw, status, kind in (
        ("{", 400, "invalid_request_error"),
        ('{"content": NaN}', 400, "invalid_request_error"),
        ('{"content": "\\u0000"}', 400, "invalid_request_error"),
        ("", 400, "invalid_request_error"),
        (f'"{"x" * 100_001}"', 413, "payload_too_large_error"),
    ):
        response = await service.http.post(url, content=raw, headers=headers)
        assert problem(response)[:2] == (status, kind), raw[:20]
        assert broken_promises(response) == []
    response = await service.http.post(url, content="content: hi", headers=headers | YAML)
    assert problem(response)[:2] == (415, "invalid_request_error")


YAML = {"content-type": "application/yaml"}


async def test_a_key_or_correlation_id_that_cannot_be(service: Caller) -> None:
    for name in ("Idempotency_Key", "X_Correlation_ID"):
        response = await service.call("POST", SESSIONS, {"name": "a"}, **{name: "a b"})
        assert problem(response)[:2] == (400, "invalid_request_error")


@pytest.mark.parametrize(
    ("error", "status"),
    [(Unavailable("The database is away.", retry_after=2), 503), (InternalError("Ours."), 500)],
)
async def test_our_own_faults(
    service: Caller,
    platform: Platform,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    status: int,
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(platform.sessions, "recent", fail)
    response = await service.call("GET", SESSIONS)
    assert problem(response)[:2] == (status, "api_error")
    assert ("retry-after" in response.headers) is (status == 503)
