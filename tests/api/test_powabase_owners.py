"""Powabase: whose is what, and who may come in."""

from uuid import uuid4

import httpx
import pytest

from shared.settings import Settings
from tests.api.caller import Caller
from tests.api.powabase import ECHO, opened
from tests.tokens import SECRET, signed


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"jwt_secret": SECRET, "sync_wait_seconds": 0.01})


async def posted(caller: Caller, session: str | None = None) -> dict[str, str]:
    """Ask without waiting longer than has to be; nobody works here."""
    body = {"message": "hi", "session_id": session}
    response = await caller.call("POST", f"{ECHO}/run", body)
    assert response.status_code == 504, response.text
    late: dict[str, str] = response.json()
    return late


async def test_somebody_else_s_session_does_not_exist(
    ada: Caller, bob: Caller, service: Caller
) -> None:
    late = await posted(ada)
    session, run = late["session_id"], late["run_id"]
    missing, no_run = "404 Session not found", "404 Run not found"
    for method, path, body, told in (
        ("GET", f"/api/sessions/{session}", None, missing),
        ("GET", f"/api/sessions/{session}/messages", None, missing),
        ("GET", f"/api/sessions/{session}/runs", None, missing),
        ("GET", f"/api/sessions/{session}/runs/{run}/retrieved-context", None, missing),
        ("DELETE", f"/api/sessions/{session}", None, missing),
        ("DELETE", f"{ECHO}/sessions/{session}", None, missing),
        ("POST", f"{ECHO}/run", {"message": "hi", "session_id": session}, missing),
        ("POST", f"{ECHO}/run/stream", {"message": "hi", "session_id": session}, missing),
        ("GET", f"/api/agents/runs/{run}", None, no_run),
        (
            "POST",
            f"/api/agents/runs/{run}/approve",
            {"approved": True},
            f"{no_run} or not waiting for approval",
        ),
    ):
        assert await bob.refused(method, path, body) == told, path
    assert (await bob.ok("GET", f"{ECHO}/sessions"))["sessions"] == []
    assert (await ada.ok("GET", f"{ECHO}/sessions"))["total"] == 1
    runs = (await service.ok("GET", f"/api/sessions/{session}/runs"))["runs"]
    assert [each["run_id"] for each in runs] == [run]


async def test_nobody_s_session_is_the_project_s(ada: Caller, service: Caller) -> None:
    session = await opened(service)
    assert await ada.refused("GET", f"/api/sessions/{session}") == "404 Session not found"
    assert (await service.ok("GET", f"/api/sessions/{session}"))["user_id"] is None


async def test_the_project_says_whose_a_session_is(ada: Caller, service: Caller) -> None:
    session = await opened(service, user_id="ada")
    assert (await ada.ok("GET", f"/api/sessions/{session}"))["session_id"] == session
    told = "403 Service role required to set user_id"
    for user in ("ada", "bob", 5):
        assert await ada.refused("POST", f"{ECHO}/sessions", {"user_id": user}) == told
    assert (await ada.ok("GET", f"{ECHO}/sessions"))["total"] == 1
    own = await opened(ada)
    assert (await ada.ok("GET", f"/api/sessions/{own}"))["user_id"] is not None


async def test_an_end_user_s_token_has_its_own_sessions(http: httpx.AsyncClient) -> None:
    user = str(uuid4())
    caller, other = (
        Caller(http, signed(sub=user, aud="authenticated")),
        Caller(http, signed(sub=str(uuid4()), aud="authenticated")),
    )
    session = await opened(caller)
    assert (await caller.ok("GET", f"/api/sessions/{session}"))["user_id"] == user
    assert (await other.refused("GET", f"/api/sessions/{session}")) == "404 Session not found"
    role = "403 This endpoint requires the project's service role key"
    assert await caller.refused("GET", "/api/agents") == role
    assert await caller.refused("POST", "/api/agents", {"name": "x"}) == role


async def test_credentials_that_do_not_pass_are_told_apart(
    http: httpx.AsyncClient, service: Caller
) -> None:
    bearer = f"Bearer {service.key}"
    url = "/api/agents"
    assert (await http.get(url, headers={"Authorization": bearer})).status_code == 200
    own = {"X-API-Key": service.key, "apikey": "whatever"}
    assert (await http.get(url, headers=own)).status_code == 200
    for headers, told in (
        ({}, "Authorization header required"),
        ({"apikey": service.key}, "Authorization header required"),
        ({"Authorization": "Basic YTpi"}, "Authorization header required"),
        ({"Authorization": f"Bearer {signed(exp=1)}"}, "Token has expired"),
        ({"Authorization": f"Bearer {signed(aud='anon')}"}, "Invalid token audience"),
        ({"Authorization": f"Bearer {signed()}x"}, "Invalid token: "),
        ({"X-API-Key": "unknown"}, "Invalid token: "),
        ({"X-API-Key": "another", "Authorization": bearer}, "Invalid token: "),
    ):
        response = await http.get(url, headers=headers)
        assert response.status_code == 401
        assert response.headers["www-authenticate"].startswith("Bearer")
        [(name, value)] = response.json().items()
        assert name == "error"
        assert value.startswith(told), value
        assert value.count("Invalid") <= 1
