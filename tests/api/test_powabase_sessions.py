"""Powabase: sessions as they are read, listed, begun and deleted."""

import asyncio
from uuid import UUID, uuid4

import pytest

from shared.bootstrap import Platform
from shared.service import turns
from tests.api.caller import Caller, Json
from tests.api.performer import Performer
from tests.api.powabase import ECHO, opened

PAIRS: list[Json] = [
    {"role": "user", "content": "knock"},
    {"role": "assistant", "content": "who?"},
    {"role": "user", "content": "me"},
    {"role": "assistant", "content": "oh"},
]


async def answered(service: Caller, platform: Platform, session: str, *contents: str) -> None:
    """Post natively and answer, each in turn."""
    for content in contents:
        posted = await service.ok("POST", f"/v1/sessions/{session}/messages", {"content": content})
        await Performer(platform).answer(posted["run"]["id"], f"{content}!")


async def said(service: Caller, session: str, query: str = "") -> list[str]:
    found = await service.ok("GET", f"/api/sessions/{session}/messages{query}")
    assert found["session_id"] == session
    return [each["content"] for each in found["messages"]]


async def test_a_session_is_printed_in_both_spellings_and_read_in_each(service: Caller) -> None:
    user = str(uuid4())
    session = await opened(service, user_id=user.upper())
    read = await service.ok("GET", f"/api/sessions/{session}")
    assert read["session_id"] == session
    assert read["id"].replace("-", "") == session.removeprefix("sess_")
    assert read["user_id"] == user
    assert read["agent_id"] == ECHO.rpartition("/")[2]
    assert (read["session_data"], read["metadata"]) == ({}, {})
    assert read["created_at"].endswith("+00:00")
    for spelling in (read["id"], read["id"].upper(), session.upper(), read["id"].replace("-", "")):
        assert await service.ok("GET", f"/api/sessions/{spelling}/") == read
    native = await service.ok("POST", "/v1/sessions", {"agent": "echo", "user_id": "ada"})
    named = await service.ok("GET", f"/api/sessions/{native['id']}")
    assert named["user_id"] == (await service.ok("GET", f"/api/sessions/{native['id']}"))["user_id"]
    assert named["user_id"][14] == "5"  # a UUID made of the name
    alone = await service.ok("POST", "/v1/sessions", {"agent": "echo", "metadata": {"a": 1}})
    nobody = await service.ok("GET", f"/api/sessions/{alone['id']}")
    assert (nobody["user_id"], nobody["metadata"]) == (None, {"a": 1})


async def test_turns_are_told_whole_and_the_oldest_first(
    service: Caller, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "PAGE", 2)
    session = await opened(service, initial_messages=PAIRS)
    await answered(service, platform, session, "a", "b", "c")
    seeds, own = ["knock", "who?", "me", "oh"], ["a", "a!", "b", "b!", "c", "c!"]
    assert await said(service, session) == seeds + own
    for query, expected in {
        "?limit=1": seeds[:2],
        "?limit=2": seeds,
        "?limit=3": seeds + own[:2],
        "?limit=0": seeds[:2],
        "?limit=-5": seeds[:2],
        "?limit=9999": seeds + own,
        "?limit=many": seeds + own,
        "?limit=2.5": seeds + own,
        "?limit=": seeds + own,
        "?limit=1&limit=2&else=1": seeds[:2],
    }.items():
        assert await said(service, session, query) == expected, query
    found = await service.ok("GET", f"/api/sessions/{session}/messages")
    messages = found["messages"]
    assert messages[0]["run_id"] == messages[1]["run_id"] != messages[2]["run_id"]
    assert messages[0]["run_id"].startswith("seed_")
    seed = messages[0]["run_id"]
    context = f"/api/sessions/{session}/runs/{seed}/retrieved-context"
    empty = {"session_id": session, "run_id": seed, "retrieved_context": []}
    assert await service.ok("GET", context) == empty
    asked, answer = messages[4:6]
    assert asked["run_id"] == answer["run_id"]
    assert asked["timestamp"] == answer["timestamp"]
    assert answer["retrieved_context"] == []
    assert asked.keys() == {"role", "content", "run_id", "timestamp"}
    assert await said(service, await opened(service)) == []


async def test_runs_are_listed_by_number(service: Caller, platform: Platform) -> None:
    session = await opened(service)
    await answered(service, platform, session, "a", "b")
    await service.ok("POST", f"/v1/sessions/{session}/messages", {"content": "c"})
    url = f"/api/sessions/{session}/runs"

    async def listed(query: str) -> tuple[list[str], int, int]:
        found = await service.ok("GET", url + query)
        asked = [each["input_messages"][0]["content"] for each in found["runs"]]
        return asked, found["limit"], found["offset"]

    assert await listed("") == (["a", "b", "c"], 100, 0)
    assert await listed("?limit=2") == (["a", "b"], 2, 0)
    assert await listed("?limit=2&offset=2") == (["c"], 2, 2)
    assert await listed("?limit=x&offset=y") == (["a", "b", "c"], 100, 0)
    assert await listed("?limit=0&offset=-1") == (["a"], 1, 0)
    assert await listed("?limit=101&offset=99999999999999999999") == ([], 100, (1 << 31) - 1)
    runs = (await service.ok("GET", url))["runs"]
    assert [each["status"] for each in runs] == ["completed", "completed", "pending"]
    assert [each["content"] for each in runs] == ["a!", "b!", None]
    created = [each["created_at"] for each in runs]
    assert created == sorted(created)
    done, pending = runs[0], runs[2]
    assert done["id"].replace("-", "") == done["run_id"].removeprefix("run_")
    assert done["started_at"] < done["completed_at"]
    assert (pending["started_at"], pending["completed_at"], pending["steps"]) == (None, None, 0)
    whole = await service.ok("GET", f"/api/agents/runs/{done['run_id']}")
    assert whole["session_id"] == (await service.ok("GET", f"/api/sessions/{session}"))["id"]
    assert whole["parent_orchestration_run_id"] is None
    same = whole.keys() & done.keys()
    assert {name: whole[name] for name in same} == {name: done[name] for name in same}
    assert {"agent_id", "model", "context_handler_id"} & whole.keys() == set()


async def test_a_context_is_that_of_a_run_of_this_session(
    service: Caller, platform: Platform
) -> None:
    session, other = await opened(service), await opened(service)
    await answered(service, platform, session, "a")
    [run] = (await service.ok("GET", f"/api/sessions/{session}/runs"))["runs"]
    url = f"runs/{run['run_id']}/retrieved-context"
    found = await service.ok("GET", f"/api/sessions/{session}/{url}")
    assert found == {"session_id": session, "run_id": run["run_id"], "retrieved_context": []}
    assert await service.refused("GET", f"/api/sessions/{other}/{url}") == "404 Run not found"
    for wrong in ("run_1", f"run_{'0' * 32}", "x"):
        wrong_url = f"/api/sessions/{session}/runs/{wrong}/retrieved-context"
        assert await service.refused("GET", wrong_url) == "404 Run not found"
    gone = f"/api/sessions/sess_{'0' * 32}/{url}"
    assert await service.refused("GET", gone) == "404 Session not found"


async def test_a_deleted_session_is_gone_in_every_contract(
    service: Caller, platform: Platform
) -> None:
    session = await opened(service)
    await answered(service, platform, session, "a")
    url = f"/api/sessions/{session}"
    [run] = (await service.ok("GET", f"{url}/runs"))["runs"]
    deleted = await service.ok("DELETE", url)
    assert deleted == {"success": True, "message": "Session deleted"}
    for path in ("", "/messages", "/runs", f"/runs/{run['run_id']}/retrieved-context"):
        assert await service.refused("GET", url + path) == "404 Session not found"
    assert await service.refused("DELETE", url) == "404 Session not found"
    read = await service.refused("GET", f"/api/agents/runs/{run['run_id']}")
    assert read == "404 Run not found"
    assert await service.refused("GET", f"/v1/sessions/{session}") == "404 not_found"
    body = {"message": "hi", "session_id": session}
    assert await service.refused("POST", f"{ECHO}/run", body) == "404 Session not found"


async def test_a_session_that_elizaos_ended_is_read_and_takes_no_more(
    service: Caller, platform: Platform
) -> None:
    session = await opened(service)
    await answered(service, platform, session, "a")
    await service.ok("DELETE", f"/api/messaging/sessions/{UUID(session.removeprefix('sess_'))}")
    assert await said(service, session) == ["a", "a!"]
    for verb in ("run", "run/stream"):
        body = {"message": "hi", "session_id": session}
        assert await service.refused("POST", f"{ECHO}/{verb}", body) == "404 Session not found"


async def test_sessions_of_an_agent_are_found(service: Caller, platform: Platform) -> None:
    idle = await opened(service)
    seeded = await opened(service, initial_messages=PAIRS)
    busy = await opened(service)
    await answered(service, platform, busy, "x" * 101, "again")

    async def found(query: str) -> list[str]:
        listed = await service.ok("GET", f"{ECHO}/sessions{query}")
        return [each["session_id"] for each in listed["sessions"]]

    listed = await service.ok("GET", f"{ECHO}/sessions")
    assert [each["session_id"] for each in listed["sessions"]] == [busy, seeded, idle]
    assert (listed["total"], listed["limit"], listed["offset"]) == (3, 50, 0)
    first = listed["sessions"][0]
    assert (first["run_count"], first["first_message"]) == (2, "x" * 100)
    assert first["created_at"] < first["last_activity_at"]
    assert listed["sessions"][2]["first_message"] is None
    assert await found("?limit=1&offset=1") == [seeded]
    assert await found("?limit=x&offset=y") == [busy, seeded, idle]
    assert await found("?search=KNOCK") == [seeded]
    assert await found("?min_runs=1") == [busy]
    assert await found("?max_runs=0") == [seeded, idle]
    assert await found("?min_runs=3") == []
    created = first["created_at"]
    assert await found(f"?created_after={created}") == [busy]  # the plus is not encoded
    assert await found("?created_before=2001-01-01") == []
    for query, told in {
        "?min_runs=x": "400 min_runs must be an integer",
        "?max_runs=1.5": "400 max_runs must be an integer",
        "?created_after=soon": "400 created_after must be an ISO 8601 date",
        "?created_before=2026-13-01": "400 created_before must be an ISO 8601 date",
        f"?search={'x' * 50_001}": "400 search: String should have at most 1000 characters",
    }.items():
        assert await service.refused("GET", f"{ECHO}/sessions{query}") == told


async def test_a_session_is_deleted_by_its_own_agent(service: Caller, admin: Caller) -> None:
    session = await opened(service)
    other = await admin.ok("POST", "/api/agents", {"name": "other"})
    wrong = f"/api/agents/{other['id']}/sessions/{session}"
    assert await service.refused("DELETE", wrong) == "404 Session not found"
    response = await service.call("DELETE", f"{ECHO}/sessions/{session}")
    assert (response.status_code, response.content) == (204, b"")
    again = await service.refused("DELETE", f"{ECHO}/sessions/{session}")
    assert again == "404 Session not found"


async def test_the_same_key_opens_the_same_session(service: Caller) -> None:
    key = {"Idempotency_Key": "s-1"}
    first, again = await asyncio.gather(
        *(service.call("POST", f"{ECHO}/sessions", {}, **key) for _ in range(2))
    )
    assert first.json() == again.json()
    assert (await service.ok("GET", f"{ECHO}/sessions"))["total"] == 1
