"""Powabase: agents are made and changed by the operator, and read by the project."""

from uuid import uuid4

import pytest

from shared.settings import Settings
from tests.api.caller import Caller, Json
from tests.api.powabase import ECHO, opened

AGENTS = "/api/agents"
ROLE = "403 This endpoint requires the project's service role key"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"sync_wait_seconds": 0.01})  # nobody works here


async def made(admin: Caller, name: str = "helper", **more: Json) -> Json:
    return await admin.ok("POST", AGENTS, {"name": name, **more})


async def test_an_agent_is_made_changed_and_deleted(admin: Caller, service: Caller) -> None:
    agent = await made(admin, model="m-1", system_prompt="Be kind.", settings={"top": 1})
    assert agent.keys() == {
        "id", "name", "model", "system_prompt", "settings", "created_at", "updated_at",
    }  # fmt: skip
    assert agent["settings"] == {"top": 1}
    native = await admin.ok("GET", f"/v1/agents/{agent['id']}")
    assert (native["kind"], native["made_by"]) == ("llm", "api")
    url = f"{AGENTS}/{agent['id']}"
    assert await admin.ok("GET", url) == agent
    changed = await admin.ok("PATCH", url, {"model": None, "settings": {"kind": "echo"}})
    assert (changed["model"], changed["settings"]) == (None, {"kind": "echo"})
    assert (changed["name"], changed["system_prompt"]) == ("helper", "Be kind.")
    assert changed["updated_at"] > agent["updated_at"]
    kept = await admin.ok("PATCH", url, {"settings": {"top": 2}})
    assert kept["settings"] == {"top": 2, "kind": "echo"}
    session = await opened(service, url)
    assert await admin.ok("DELETE", url) == {"success": True, "message": "Agent deleted"}
    for method, path, body in (
        ("GET", url, None),
        ("PATCH", url, {"name": "x"}),
        ("DELETE", url, None),
        ("GET", f"{url}/sessions", None),
        ("POST", f"{url}/sessions", {}),
        ("POST", f"{url}/run", {"message": "hi"}),
        ("POST", f"{url}/run/stream", {"message": "hi"}),
    ):
        assert await admin.refused(method, path, body) == "404 Agent not found", path
    assert (await service.ok("GET", f"/api/sessions/{session}"))["agent_id"] == agent["id"]
    late: dict[str, object] = {
        "message": "still there?",
        "session_id": session,
    }
    assert (await service.call("POST", f"{url}/run", late)).status_code == 504


async def test_agents_may_have_one_name(admin: Caller) -> None:
    first, second = await made(admin, "twin"), await made(admin, "twin")
    assert (first["name"], second["name"]) == ("twin", "twin")
    assert first["id"] != second["id"]
    assert (await admin.ok("GET", "/v1/agents/twin"))["id"].endswith(first["id"].replace("-", ""))
    third = await made(admin, "triplet")
    url = f"{AGENTS}/{third['id']}"
    assert (await admin.ok("PATCH", url, {"name": "twin"}))["name"] == "twin"
    assert (await admin.ok("PATCH", url, {"model": "m"}))["name"] == "twin"
    assert (await admin.ok("PATCH", url, {"name": "another"}))["name"] == "another"
    assert (await admin.ok("GET", "/v1/agents/another"))["id"].startswith("agent_")
    like_an_id = await made(admin, first["id"])
    assert (await admin.ok("GET", f"{AGENTS}/{first['id']}"))["name"] == "twin"
    assert like_an_id["name"] == first["id"]
    native = await admin.ok("GET", f"/v1/agents/{like_an_id['id']}")
    assert native["name"] == f"{first['id']} ({native['id']})"


async def test_agents_are_listed_by_number(admin: Caller, service: Caller) -> None:
    names = [f"listed {number}" for number in range(3)]
    for name in names:
        await made(admin, name)
    listed = await admin.ok("GET", f"{AGENTS}?limit=3")
    assert [each["name"] for each in listed["agents"]] == names[::-1]
    assert (listed["limit"], listed["offset"]) == (3, 0)
    assert listed["total"] >= 4  # and the built-in ones
    second = await service.ok("GET", f"{AGENTS}?limit=1&offset=1")
    assert [each["name"] for each in second["agents"]] == names[1:2]
    assert (await admin.ok("GET", f"{AGENTS}?limit=x&offset=-1"))["limit"] == 50


async def test_who_may_not_change_an_agent_does_not_see_into_its_head(
    admin: Caller, service: Caller, ada: Caller
) -> None:
    agent = await made(admin, system_prompt="secret", settings={"key": "secret"})
    url = f"{AGENTS}/{agent['id']}"
    seen = await service.ok("GET", url)
    assert (seen["system_prompt"], seen["settings"]) == (None, {})
    assert "secret" not in (await service.call("GET", AGENTS)).text
    for caller in (service, ada):
        assert await caller.refused("POST", AGENTS, {"name": "x"}) == ROLE
        assert await caller.refused("PATCH", url, {"name": "x"}) == ROLE
        assert await caller.refused("DELETE", url) == ROLE
    assert await ada.refused("GET", AGENTS) == ROLE
    assert await ada.refused("GET", url) == ROLE
    assert await admin.ok("GET", url) == agent


async def test_what_the_house_made_is_changed_elsewhere(admin: Caller) -> None:
    for method, body in (("PATCH", {"name": "parrot"}), ("DELETE", None)):
        assert (await admin.refused(method, ECHO, body)).startswith("409 ")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (None, "Name is required"),
        ({}, "Name is required"),
        ({"name": None}, "Name is required"),
        ({"name": " "}, "Name is required"),
        ({"name": 5}, "Name is required"),
        ({"name": "x" * 201}, "name must be at most 200 characters"),
        ({"name": "x", "model": 5}, "model must be a string of at most 200 characters"),
        (
            {"name": "x", "system_prompt": []},
            "system_prompt must be a string of at most 65536 characters",
        ),
        ({"name": "x", "settings": []}, "settings must be an object"),
        (
            {"name": "x", "settings": {"kind": "python"}},
            "settings.kind must be one of echo, librarian, llm, scripted",
        ),
        (
            {"name": "x", "settings": {"kind": 5}},
            "settings.kind must be one of echo, librarian, llm, scripted",
        ),
        (
            {"name": "x", "settings": {"reasoning_effort": 5}},
            "settings.reasoning_effort must be a string",
        ),
        (
            {"name": "x", "settings": {"much": "x" * 65_536}},
            "settings must be at most 65536 bytes as JSON",
        ),
    ],
)
async def test_an_agent_that_makes_no_sense_is_refused(
    admin: Caller, body: Json, told: str
) -> None:
    before = (await admin.ok("GET", AGENTS))["total"]
    assert await admin.refused("POST", AGENTS, body) == f"400 {told}"
    assert (await admin.ok("GET", AGENTS))["total"] == before
    if body:
        url = f"{AGENTS}/{(await made(admin, 'whole'))['id']}"
        whole = await admin.ok("GET", url)
        assert await admin.refused("PATCH", url, body) == f"400 {told}"
        assert await admin.ok("GET", url) == whole


async def test_an_agent_of_settings_s_kind_answers_so(admin: Caller, service: Caller) -> None:
    agent = await made(admin, settings={"kind": "echo"})
    url = f"{AGENTS}/{agent['id']}"
    late = await service.call("POST", f"{url}/run", {"message": "hi"})
    assert late.status_code == 504
    assert (await admin.ok("GET", f"/v1/agents/{agent['id']}"))["kind"] == "echo"


async def test_the_same_key_makes_the_same_agent(admin: Caller) -> None:
    key = {"Idempotency_Key": str(uuid4())}
    first = await admin.call("POST", AGENTS, {"name": "once"}, **key)
    again = await admin.call("POST", AGENTS, {"name": "once"}, **key)
    assert first.json() == again.json()
    assert again.headers["idempotent-replayed"] == "true"
