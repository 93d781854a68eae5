"""Atthene: sessions with agents that are there, lists, and where a session stands."""

import pytest

from shared.bootstrap import Platform
from shared.domain.agent import AgentKind, AgentSpec
from shared.domain.lifetime import Expiry
from shared.domain.outcome import Failed, Paused
from shared.domain.principal import Principal, Scope
from shared.domain.requests import NewSession
from shared.domain.run import Approval, RunError
from shared.ids import new_id
from shared.service.once import fresh
from tests.api.atthene import ECHO, RUNTIME, SESSIONS, at, opened, wait
from tests.api.caller import Caller, Json
from tests.api.performer import Performer


@pytest.mark.parametrize("agent", ["echo", ECHO, ECHO.upper(), "agent_" + ECHO.replace("-", "")])
@pytest.mark.parametrize("slash", ["/", ""])
async def test_an_agent_is_named_by_id_or_name(service: Caller, agent: str, slash: str) -> None:
    made = await service.call("POST", f"{SESSIONS}from-agent/{agent}{slash}")
    assert made.status_code == 201
    body = made.json()
    assert body["success"] is True
    assert body["agent_id"] == ECHO
    read = await service.ok("GET", f"{SESSIONS}{body['session_id']}{slash}")
    assert read["config_hash"] == body["config_hash"]
    assert read["status"] == "active"
    assert read["agent_config"]["name"] == "echo"


async def test_a_session_is_made_by_an_agents_key(service: Caller) -> None:
    made = await service.call("GET", f"{SESSIONS}from-agent/?agent_key=echo")
    assert made.status_code == 201
    again = await service.ok("GET", f"{SESSIONS}from-agent/?agent_key={ECHO}")
    assert made.json()["agent_key"] == "echo"
    assert again["agent_key"] == ECHO
    assert again["session_id"] != made.json()["session_id"]
    assert await service.refused("GET", f"{SESSIONS}from-agent/") == "400 invalid_request_error"
    unknown = f"{SESSIONS}from-agent/?agent_key=nobody"
    assert await service.refused("GET", unknown) == "404 not_found_error"


async def test_unknown_agents_are_not_found(service: Caller) -> None:
    for agent in ("nobody", str(new_id()), "agent_1"):
        url = f"{SESSIONS}from-agent/{agent}/"
        assert await service.refused("POST", url) == "404 not_found_error"


async def test_a_users_key_opens_sessions_of_its_own(service: Caller, ada: Caller) -> None:
    session = await opened(ada)
    assert (await service.ok("GET", f"/v1/sessions/{session}"))["user_id"] == "ada"
    assert await ada.ok("GET", f"{SESSIONS}{session}/")


async def test_what_an_agent_is_told_in_secret_is_not_shown(
    service: Caller, platform: Platform, tenant: str
) -> None:
    secret = AgentSpec(
        name=f"spy-{tenant}",
        kind=AgentKind.ECHO,
        model="small",
        system_prompt="a secret",
        settings={"token": "a secret"},
        tools=({"name": "search", "settings": {"key": "a secret"}},),
    )
    principal = Principal(tenant=tenant, user_id=None, scope=Scope.ADMIN)
    agent = fresh(await platform.agents.create_once(principal, secret, None))
    session = await opened(service, str(agent.id))
    read = await service.ok("GET", f"{SESSIONS}{session}/")
    assert "a secret" not in str(read)
    assert read["agent_config"] == {
        "name": secret.name,
        "agent_type": "echo",
        "llm_config": {"model": "small"},
        "tools": ["search"],
        "knowledge_bases": [],
    }


async def test_ids_are_read_in_either_spelling(service: Caller) -> None:
    session = await opened(service)
    digits = session.removeprefix("sess_")
    dashed = "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
    for spelled in (session, session.upper(), digits, dashed, dashed.upper()):
        for url in (f"{SESSIONS}{spelled}/", f"{RUNTIME}{spelled}/status/"):
            assert (await service.ok("GET", url))["session_id"] == session


async def test_sessions_are_listed_newest_activity_first(
    service: Caller, platform: Platform, tenant: str
) -> None:
    principal = Principal(tenant=tenant, user_id=None, scope=Scope.SERVICE)
    native = await platform.sessions.create(principal, NewSession(agent="echo"))
    second = await opened(service)
    third = await opened(service)
    await service.ok("POST", f"/v1/sessions/{second}/messages", {"content": "hi"})
    listed = await service.ok("GET", SESSIONS)
    first = f"sess_{native.id.hex}"
    assert [each["session_id"] for each in listed["sessions"]] == [second, third, first]
    assert (listed["total"], listed["has_more"]) == (3, False)
    assert [each["status"] for each in listed["sessions"]] == ["processing", "active", "active"]
    for each in listed["sessions"]:
        read = await service.ok("GET", f"{SESSIONS}{each['session_id']}/")
        assert read["config_hash"] == each["config_hash"]
    page = await service.ok("GET", f"{SESSIONS}?limit=1&offset=1")
    assert [each["session_id"] for each in page["sessions"]] == [third]
    assert (page["total"], page["has_more"]) == (3, True)
    last = await service.ok("GET", f"{SESSIONS}?limit=1&offset=2")
    assert last["has_more"] is False


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "limit=x", "limit=", "offset=-1", "offset=1e3", "limit=1.5"]
)
async def test_a_page_that_cannot_be_is_refused(service: Caller, query: str) -> None:
    session = await opened(service)
    for url in (SESSIONS, f"{RUNTIME}{session}/messages/"):
        assert await service.refused("GET", f"{url}?{query}") == "400 invalid_request_error"


async def test_lists_hold_what_the_caller_may_see(
    service: Caller, ada: Caller, bob: Caller
) -> None:
    adas, services = await opened(ada), await opened(service)
    assert await ids(ada) == [adas]
    assert await ids(bob) == []
    assert sorted(await ids(service)) == sorted([adas, services])
    for url in (f"{SESSIONS}{adas}/", f"{RUNTIME}{adas}/status/", f"{RUNTIME}{adas}/messages/"):
        assert await bob.refused("GET", url) == "404 not_found_error"


async def ids(caller: Caller) -> list[str]:
    listed: Json = await caller.ok("GET", SESSIONS)
    return [each["session_id"] for each in listed["sessions"]]


async def test_the_status_says_where_a_session_stands(service: Caller, platform: Platform) -> None:
    session = await opened(service)
    assert await standing(service, session) == ("active", "healthy", 0)
    sent = await service.ok("POST", f"/v1/sessions/{session}/messages", {"content": "hi"})
    run, performer = sent["run"]["id"], Performer(platform)
    assert await standing(service, session) == ("processing", "healthy", 1)
    await performer.start(run)
    assert await standing(service, session) == ("processing", "healthy", 1)
    await performer.end(run, Paused(approvals=(Approval(call_id="c", tool="t", arguments={}),)))
    assert await standing(service, session) == ("processing", "healthy", 1)
    await service.ok("POST", f"/v1/runs/{run}/cancel")
    assert await standing(service, session) == ("active", "healthy", 1)
    sent = await service.ok("POST", f"/v1/sessions/{session}/messages", {"content": "hi"})
    await performer.start(sent["run"]["id"])
    await performer.end(sent["run"]["id"], Failed(error=RunError(code="agent_error", message="no")))
    assert await standing(service, session) == ("error", "degraded", 2)


async def standing(caller: Caller, session: str) -> tuple[str, str, int]:
    body: Json = await caller.ok("GET", at(session, "status"))
    assert body["session_id"] == session
    return body["status"], body["health"], body["message_count"]


async def test_a_session_that_nobody_uses_is_idle(service: Caller, platform: Platform) -> None:
    session = await opened(service)
    wait(platform, 29 * 60)
    assert (await standing(service, session))[0] == "active"
    wait(platform, 61)
    assert (await standing(service, session))[0] == "idle"


async def test_what_expired_elsewhere_is_idle_and_still_served(
    service: Caller, platform: Platform, tenant: str
) -> None:
    principal = Principal(tenant=tenant, user_id=None, scope=Scope.SERVICE)
    new = NewSession(agent="echo", expiry=Expiry(timeout_minutes=5, auto_renew=False))
    made = await platform.sessions.create(principal, new)
    session = f"sess_{made.id.hex}"
    wait(platform, 6 * 60)
    assert (await standing(service, session))[0] == "idle"
    assert (await service.ok("GET", f"{RUNTIME}{session}/messages/"))["total"] == 0
