"""Whose is what: keys, scopes, and what does not exist for others."""

import pytest

from tests.api.caller import Caller, outcome

SESSION = {"agent": "echo"}


async def test_somebody_else_s_session_does_not_exist(ada: Caller, bob: Caller) -> None:
    session = await ada.ok("POST", "/v1/sessions", SESSION)
    url = f"/v1/sessions/{session['id']}"
    posted = await ada.ok("POST", f"{url}/messages", {"content": "secret"})
    run = f"/v1/runs/{posted['run']['id']}"
    asked = [
        ("GET", url, None),
        ("GET", f"{url}/status", None),
        ("GET", f"{url}/messages", None),
        ("GET", f"{url}/runs", None),
        ("POST", f"{url}/messages", {"content": "hi"}),
        ("DELETE", url, None),
        ("GET", run, None),
        ("GET", f"{run}/retrieved-context", None),
        ("POST", f"{run}/cancel", None),
        ("POST", f"{run}/retry", None),
        ("POST", f"{run}/resume", {"approvals": [{"call_id": "c", "approved": True}]}),
    ]
    for method, path, body in asked:
        assert await bob.refused(method, path, body) == "404 not_found", path
    for listing in ("/v1/sessions", "/v1/runs", f"/v1/messages?correlation_id={'x'}"):
        assert (await bob.ok("GET", listing))["data"] == []
    assert (await ada.ok("GET", run))["status"] == "queued"


async def test_a_user_s_session_is_the_user_s_own(ada: Caller, service: Caller) -> None:
    assert (await ada.ok("POST", "/v1/sessions", SESSION))["user_id"] == "ada"
    assert (await ada.ok("POST", "/v1/sessions", SESSION | {"user_id": "ada"}))["user_id"] == "ada"
    named = SESSION | {"user_id": "bob"}
    assert await ada.refused("POST", "/v1/sessions", named) == "403 forbidden"
    assert (await service.ok("POST", "/v1/sessions", named))["user_id"] == "bob"
    listed = await service.ok("GET", "/v1/sessions?user_id=ada")
    assert {each["user_id"] for each in listed["data"]} == {"ada"}


async def test_keys_are_for_admins(ada: Caller, service: Caller) -> None:
    for caller in (ada, service):
        assert await caller.refused("GET", "/v1/keys") == "403 forbidden"
        assert await caller.refused("POST", "/v1/keys", {"name": "x"}) == "403 forbidden"
        assert await caller.refused("GET", "/v1/ops/overview") == "403 forbidden"


async def test_a_key_is_shown_once_and_revoked(admin: Caller, tenant: str) -> None:
    new = {"name": "shop", "scope": "user", "tenant": tenant, "user_id": "eve"}
    response = await admin.call("POST", "/v1/keys", new)
    made = response.json()
    assert response.headers["cache-control"] == "no-store"
    eve = Caller(admin.http, made["key"])
    assert (await eve.ok("POST", "/v1/sessions", SESSION))["user_id"] == "eve"
    listed = await admin.call("GET", "/v1/keys")
    assert made["id"] in listed.text
    assert made["key"] not in listed.text
    await admin.ok("DELETE", f"/v1/keys/{made['id']}")
    assert await eve.refused("GET", "/v1/sessions") == "401 unauthenticated"
    unknown = f"/v1/keys/key_{'0' * 32}"
    assert await admin.refused("DELETE", unknown) == "404 not_found"


@pytest.mark.parametrize(
    "new",
    [
        {"name": "no user", "scope": "user"},
        {"name": "late", "scope": "service", "expires_at": "2001-01-01T00:00:00Z"},
        {"name": "when?", "scope": "service", "expires_at": "2999-01-01T00:00:00"},
        {"name": "a day", "scope": "service", "expires_at": "2999-01-01"},
        {"name": "seconds", "scope": "service", "expires_at": 4102444800},
        {"name": "blank", "scope": "service", "tenant": "a b"},
    ],
)
async def test_a_key_that_makes_no_sense_is_refused(admin: Caller, new: object) -> None:
    assert await admin.refused("POST", "/v1/keys", new) == "422 validation_failed"


async def test_one_credential_is_enough_and_two_are_too_many(admin: Caller) -> None:
    bearer = f"Bearer {admin.key}"
    get = admin.http.get
    assert (await get("/v1/agents", headers={"Authorization": bearer})).status_code == 200
    both = {"Authorization": bearer, "X-API-Key": admin.key}
    assert (await get("/v1/agents", headers=both)).status_code == 200
    for headers in (
        {},
        {"X-API-Key": "wrong"},
        {"X-API-Key": ""},
        {"Authorization": "Basic YTpi"},
        {"Authorization": "Bearer"},
        {"Authorization": bearer, "X-API-Key": "another"},
        {"X-API-Key": "k\u00e9y"},
        {"apikey": admin.key},
    ):
        response = await get(
            "/v1/agents", headers={k.encode(): v.encode() for k, v in headers.items()}
        )
        assert outcome(response) == "401 unauthenticated"
        assert response.headers["www-authenticate"].startswith("Bearer")
