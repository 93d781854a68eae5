"""Agents: admins make and change them, everybody talks to them."""

from typing import Any

import pytest

from shared.ids import new_id
from tests.api.caller import Caller, outcome

WHOLE: dict[str, Any] = {
    "kind": "llm",
    "pool": "gpu",
    "model": "small",
    "system_prompt": "Be kind.",
    "settings": {"temperature": 0.5, "deep": {"a": 1, "b": 2}},
    "knowledge_bases": [{"id": "kb_1", "top_k": 3}],
    "tools": [{"name": "search", "settings": {"key": "secret"}}],
    "limits": {
        "max_running": 2,
        "runs_per_minute": 60,
        "run_timeout_seconds": 1.5,
        "max_steps": 8,
        "max_tokens": 1000,
        "max_cost": 0.25,
    },
    "retry": {"max_attempts": 5, "base_seconds": 0.5, "max_seconds": 9.0},
}


@pytest.fixture
def name() -> str:
    """Agents are everybody's: each test has names of its own."""
    return f"agent of {new_id()}"


async def test_an_agent_from_the_cradle_to_the_grave(admin: Caller, name: str) -> None:
    response = await admin.call("POST", "/v1/agents", {"name": name, **WHOLE})
    made = response.json()
    url = f"/v1/agents/{made['id']}"
    assert (response.status_code, response.headers["location"]) == (201, url)
    assert made == {
        "id": made["id"], "name": name, **WHOLE, "made_by": "api", "created_at": made["created_at"],
    }  # fmt: skip
    assert await admin.ok("GET", url) == made
    assert await admin.ok("GET", f"/v1/agents/{name}") == made
    listed = await admin.ok("GET", "/v1/agents?limit=1")
    assert listed["data"] == [made]

    patch: dict[str, Any] = {
        "model": None,
        "settings": {"deep": {"b": None, "c": 3}},
        "limits": {"max_steps": None, "max_cost": 1},
        "retry": {"max_attempts": 2},
        "tools": [],
    }
    changed = await admin.ok(
        "PATCH", url, patch, **{"Content-Type": "application/merge-patch+json"}
    )
    assert changed == {
        **made,
        "model": None,
        "settings": {"temperature": 0.5, "deep": {"a": 1, "c": 3}},
        "limits": {**WHOLE["limits"], "max_steps": None, "max_cost": 1.0},
        "retry": {**WHOLE["retry"], "max_attempts": 2},
        "tools": [],
    }
    assert await admin.ok("PATCH", url, {}) == changed
    renamed = await admin.ok("PATCH", url, {"name": f"{name}!", "retry": None, "limits": None})
    assert renamed["retry"]["max_attempts"] == 3
    assert set(renamed["limits"].values()) == {None}
    assert await admin.refused("GET", f"/v1/agents/{name}") == "404 not_found"

    assert (await admin.call("DELETE", url)).status_code == 204
    for method in ("GET", "DELETE", "PATCH"):
        body: dict[str, object] | None = {} if method == "PATCH" else None
        assert await admin.refused(method, url, body) == "404 not_found"


async def test_the_least_that_makes_an_agent(admin: Caller, name: str) -> None:
    made = await admin.ok("POST", "/v1/agents", {"name": name, "kind": "echo"})
    assert made["settings"] == {}
    assert (made["pool"], made["model"], made["tools"]) == ("default", None, [])
    assert made["retry"] == {"max_attempts": 3, "base_seconds": 1.0, "max_seconds": 60.0}


async def test_others_may_look_but_not_into_its_head(
    admin: Caller, service: Caller, ada: Caller, name: str
) -> None:
    made = await admin.ok("POST", "/v1/agents", {"name": name, **WHOLE})
    url = f"/v1/agents/{made['id']}"
    hidden = {"settings", "system_prompt"}
    shown = {each: value for each, value in made.items() if each not in hidden}
    shown["tools"] = [{"name": "search"}]
    for caller in (service, ada):
        assert await caller.ok("GET", url) == shown
        assert (await caller.ok("GET", "/v1/agents?limit=1"))["data"] == [shown]
        for method in ("PATCH", "DELETE"):
            assert await caller.refused(method, url, {}) == "403 forbidden"
        assert await caller.refused("POST", "/v1/agents", {}) == "403 forbidden"
    assert await admin.ok("GET", url) == made


async def test_a_name_is_given_once(admin: Caller, name: str) -> None:
    body = {"name": name, "kind": "echo"}
    first = await admin.ok("POST", "/v1/agents", body)
    assert await admin.refused("POST", "/v1/agents", body) == "409 agent_exists"
    other = await admin.ok("POST", "/v1/agents", {**body, "name": f"{name}, the other"})
    url = f"/v1/agents/{other['id']}"
    assert await admin.refused("PATCH", url, {"name": name}) == "409 agent_exists"
    assert await admin.refused("PATCH", url, {"name": "echo"}) == "409 agent_exists"
    await admin.ok("DELETE", f"/v1/agents/{first['id']}")
    assert (await admin.ok("PATCH", url, {"name": name}))["name"] == name
    assert await admin.refused("POST", "/v1/agents", {**body, "name": "echo"}) == "409 agent_exists"


async def test_the_same_key_makes_one_agent(admin: Caller, name: str) -> None:
    body = {"name": name, "kind": "echo"}
    first = await admin.call("POST", "/v1/agents", body, Idempotency_Key=name[9:])
    again = await admin.call("POST", "/v1/agents", body, Idempotency_Key=name[9:])
    assert (first.status_code, again.status_code, again.text) == (201, 201, first.text)


async def test_agents_of_the_house_are_left_alone(admin: Caller) -> None:
    for method in ("PATCH", "DELETE"):
        assert await admin.refused(method, "/v1/agents/echo", {}) == "409 agent_from_file"
    assert (await admin.ok("GET", "/v1/agents/echo"))["made_by"] == "file"


WRONGS: list[tuple[str, dict[str, object], str]] = [
    ("POST", {"kind": "python"}, "kind"),
    ("POST", {"kind": "python", "callable": "os:system"}, "callable"),
    ("POST", {"name": "0190b8a27c1d7e3f8a4b5c6d7e8f9a0b"}, "name"),
    ("POST", {"name": "agent_0190b8a2-7c1d-7e3f-8a4b-5c6d7e8f9a0b"}, "name"),
    ("POST", {"pool": "a b"}, "pool"),
    ("PATCH", {"name": None}, "name"),
    ("PATCH", {"kind": None}, "kind"),
    ("PATCH", {"kind": "python"}, "kind"),
    ("PATCH", {"settings": {"more": "x" * 65_500}}, "settings"),
]


async def test_what_is_wrong_is_said_by_name(admin: Caller, name: str) -> None:
    body: dict[str, object] = {"kind": "echo", "settings": {"some": "x" * 99}}
    url = f"/v1/agents/{(await admin.ok('POST', '/v1/agents', {'name': name, **body}))['id']}"
    for method, wrong, loc in WRONGS:
        if method == "POST":
            whole = {"name": f"{name} too", **body, **wrong}
            response = await admin.call("POST", "/v1/agents", whole)
        else:
            response = await admin.call("PATCH", url, wrong)
        assert outcome(response) == "422 validation_failed"
        assert loc in [error["loc"][1] for error in response.json()["errors"]]


async def test_a_deleted_agent_stays_with_the_sessions_that_have_it(
    admin: Caller, service: Caller, name: str
) -> None:
    agent = await admin.ok("POST", "/v1/agents", {"name": name, "kind": "echo"})
    session = await service.ok("POST", "/v1/sessions", {"agent": name})
    await admin.ok("DELETE", f"/v1/agents/{name}")
    for named in (name, agent["id"]):
        assert await service.refused("POST", "/v1/sessions", {"agent": named}) == "404 not_found"
    posted = await service.ok("POST", f"/v1/sessions/{session['id']}/messages", {"content": "hi"})
    assert posted["run"]["agent"] == name
    for noun in ("sessions", "runs"):
        found = await service.ok("GET", f"/v1/{noun}?agent={agent['id']}")
        assert len(found["data"]) == 1, noun
        assert (await service.ok("GET", f"/v1/{noun}?agent={name}"))["data"] == []
    again = await admin.ok("POST", "/v1/agents", {"name": name, "kind": "echo"})
    assert again["id"] != agent["id"]
