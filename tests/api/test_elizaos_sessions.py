"""ElizaOS sessions: created within bounds, listed, read, deleted; whose they are."""

from typing import Any
from uuid import UUID

from shared.bootstrap import Platform
from tests.api.caller import Caller
from tests.api.eliza import (
    ADA,
    BOB,
    ECHO,
    NIL,
    NOBODY,
    SESSIONS,
    at,
    minutes,
    opened,
    problem,
    sent,
    wait,
)

USUAL = {
    "timeoutMinutes": 30,
    "autoRenew": True,
    "maxDurationMinutes": 720,
    "warningThresholdMinutes": 5,
}


async def test_a_session_is_created_with_the_usual_policy(service: Caller) -> None:
    session = await opened(service, metadata={"platform": "web"})
    assert list(session) == [
        "sessionId", "channelId", "agentId", "userId", "createdAt", "metadata", "expiresAt",
        "timeoutConfig",
    ]  # fmt: skip
    assert session["sessionId"] == session["channelId"] == str(UUID(session["sessionId"]))
    assert (session["agentId"], session["userId"]) == (ECHO, ADA)
    assert session["metadata"] == {"platform": "web"}
    assert session["timeoutConfig"] == USUAL
    assert minutes(session) == 30


async def test_a_policy_is_bounded_and_never_refused(service: Caller) -> None:
    wished = {"timeoutMinutes": "90", "autoRenew": False, "maxDurationMinutes": 60, "color": "red"}
    session = await opened(service, timeoutConfig=wished)
    policy = {"timeoutMinutes": 90, "autoRenew": False, "maxDurationMinutes": 90}
    assert session["timeoutConfig"] == USUAL | policy
    assert minutes(session) == 90
    capped = await opened(service, timeoutConfig={"timeoutMinutes": 1440})
    assert capped["timeoutConfig"] == USUAL | {"timeoutMinutes": 1440}
    assert minutes(capped) == 720
    assert minutes(await opened(service, timeoutConfig={"timeoutMinutes": 0})) == 5
    assert minutes(await opened(service, timeoutConfig={"timeoutMinutes": "x"})) == 30
    assert minutes(await opened(service, timeoutConfig=None, metadata=None)) == 30


async def test_an_agent_says_what_is_usual_for_it(service: Caller, admin: Caller) -> None:
    settings = {"SESSION_TIMEOUT_MINUTES": "60", "SESSION_AUTO_RENEW": "false"}
    new = {"name": f"slow-{UUID(int=0)}", "kind": "echo", "settings": settings}
    agent = await admin.ok("POST", "/v1/agents", new)
    try:
        session = await opened(service, agentId=agent["id"])
        policy = {"timeoutMinutes": 60, "autoRenew": False}
        assert session["timeoutConfig"] == USUAL | policy
        wished = await opened(service, agentId=agent["id"], timeoutConfig={"autoRenew": True})
        assert wished["timeoutConfig"] == USUAL | {"timeoutMinutes": 60}
    finally:
        await admin.ok("DELETE", f"/v1/agents/{agent['id']}")


async def refused(caller: Caller, body: object, expected: str = "VALIDATION_ERROR") -> Any:  # noqa: ANN401
    response = await caller.call("POST", SESSIONS, body)
    error = problem(response)
    assert error.pop("code") == expected
    return error


async def test_what_cannot_be_created_is_refused_in_the_contract_s_words(service: Caller) -> None:
    missing = {
        "message": "Missing required fields: agentId, userId",
        "details": {"missingFields": ["agentId", "userId"]},
    }
    assert await refused(service, {"agentId": ECHO}) == missing
    wrong = await refused(service, {"agentId": "echo", "userId": ADA})
    assert wrong["message"] == "Invalid UUID format for field 'agentId'"
    assert wrong["details"]["providedValue"] == "echo"
    wrong = await refused(service, {"agentId": ECHO, "userId": "ada"})
    assert wrong["message"] == "Invalid UUID format for field 'userId'"
    metadata = {"x": "x" * 10_240}
    wrong = await refused(service, {"agentId": ECHO, "userId": ADA, "metadata": metadata})
    assert wrong["message"].startswith("Invalid metadata: 10248 bytes")
    assert wrong["details"]["providedMetadata"] == metadata
    wrong = await refused(service, {"agentId": ECHO, "userId": ADA, "timeoutConfig": "x"})
    assert wrong["details"] == {"reason": "must be an object", "providedConfig": "x"}
    response = await service.call("POST", SESSIONS, {"agentId": NOBODY, "userId": ADA})
    assert response.status_code == 404
    assert problem(response) == {
        "code": "AGENT_NOT_FOUND",
        "message": f"Agent with ID '{NOBODY}' not found",
    }
    bodies: list[object] = [[], "x", 5, None]
    for body in bodies:
        assert (await service.refused("POST", SESSIONS, body)) == "400 VALIDATION_ERROR"


async def test_a_session_is_read_as_it_stands(service: Caller, platform: Platform) -> None:
    new = await opened(service, timeoutConfig={"timeoutMinutes": 30, "warningThresholdMinutes": 10})
    info = await service.ok("GET", at(new))
    assert {name: info[name] for name in new} == new
    assert list(info)[len(new) :] == [
        "lastActivity", "renewalCount", "timeRemaining", "isNearExpiration",
    ]  # fmt: skip
    assert info["lastActivity"] == new["createdAt"]
    assert (info["renewalCount"], info["isNearExpiration"]) == (0, False)
    assert 29 * 60_000 < info["timeRemaining"] <= 30 * 60_000
    wait(platform, 25)
    later = await service.ok("GET", at(new))
    assert 4 * 60_000 < later["timeRemaining"] <= 5 * 60_000
    assert later["isNearExpiration"] is True
    assert {**later, "timeRemaining": 0, "isNearExpiration": False} == {**info, "timeRemaining": 0}


async def test_any_spelling_of_an_id_is_read_and_nothing_else_is_an_error(service: Caller) -> None:
    session = await opened(service)
    digits = session["sessionId"].replace("-", "")
    for spelled in (f"sess_{digits}", session["sessionId"].upper()):
        assert (await service.ok("GET", f"{SESSIONS}/{spelled}"))["sessionId"] == session[
            "sessionId"
        ]
    for unknown in ("nonsense", NOBODY, "%00", "%FF", "x" * 3000, "Health", "a%20b"):
        for method, path in (
            ("GET", ""), ("DELETE", ""), ("GET", "/messages"), ("POST", "/renew"),
            ("POST", "/heartbeat"), ("PATCH", "/timeout"),
        ):  # fmt: skip
            url = f"{SESSIONS}/{unknown}{path}"
            assert await service.refused(method, url) == "404 SESSION_NOT_FOUND"
    response = await service.call("GET", f"{SESSIONS}/nonsense")
    assert problem(response) == {
        "code": "SESSION_NOT_FOUND",
        "message": "Session with ID 'nonsense' not found",
        "details": {"sessionId": "nonsense"},
    }


async def test_the_list_holds_what_lives(service: Caller, platform: Platform) -> None:
    assert await service.ok("GET", SESSIONS) == {
        "sessions": [],
        "total": 0,
        "stats": {"totalSessions": 0, "activeSessions": 0, "expiredSessions": 0},
    }
    short = await opened(service, timeoutConfig={"timeoutMinutes": 5})
    long, deleted = await opened(service), await opened(service)
    await service.ok("DELETE", at(deleted))
    await sent(service, short)
    listed = await service.ok("GET", f"{SESSIONS}?unknown=1")
    assert [each["sessionId"] for each in listed["sessions"]] == [
        short["sessionId"],
        long["sessionId"],
    ]
    assert listed["sessions"][0] | {"timeRemaining": 0} == (await service.ok("GET", at(short))) | {
        "timeRemaining": 0
    }
    wait(platform, 10)
    listed = await service.ok("GET", SESSIONS)
    assert [each["sessionId"] for each in listed["sessions"]] == [long["sessionId"]]
    assert listed["total"] == 1
    assert listed["stats"] == {"totalSessions": 2, "activeSessions": 1, "expiredSessions": 1}


async def test_a_deleted_session_is_gone_here_and_its_messages_are_kept(
    service: Caller, platform: Platform
) -> None:
    session = await opened(service, timeoutConfig={"timeoutMinutes": 5})
    await sent(service, session)
    assert await service.ok("DELETE", at(session)) == {
        "success": True,
        "message": f"Session {session['sessionId']} deleted successfully",
        "data": {"success": True},
    }
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/messages"), ("POST", "/renew")):
        assert await service.refused(method, at(session) + path) == "404 SESSION_NOT_FOUND"
    body = {"content": "hi"}
    assert await service.refused("POST", f"{at(session)}/messages", body) == "404 SESSION_NOT_FOUND"
    native = f"/v1/sessions/{session['sessionId']}"
    assert (await service.ok("GET", native))["status"] == "ended"
    assert len((await service.ok("GET", f"{native}/messages"))["data"]) == 1
    expired = await opened(service, timeoutConfig={"timeoutMinutes": 5})
    wait(platform, 6)
    assert await service.refused("GET", at(expired)) == "410 SESSION_EXPIRED"
    assert (await service.ok("DELETE", at(expired)))["success"] is True
    assert await service.refused("GET", at(expired)) == "404 SESSION_NOT_FOUND"


async def test_a_user_has_sessions_of_its_own(service: Caller, ada: Caller, bob: Caller) -> None:
    theirs = await opened(service)
    assert await ada.refused("GET", at(theirs)) == "404 SESSION_NOT_FOUND"
    body = {"agentId": ECHO, "userId": ADA}
    assert await ada.refused("POST", SESSIONS, body) == "403 FORBIDDEN"
    own = (await service.ok("POST", "/v1/sessions", {"agent": "echo", "user_id": "ada"}))["id"]
    named = (await ada.ok("GET", f"{SESSIONS}/{own}"))["userId"]
    mine = await opened(ada, userId=named)
    assert mine["userId"] == named
    assert (await ada.ok("GET", f"/v1/sessions/{mine['sessionId']}"))["user_id"] == "ada"
    assert (await ada.ok("GET", SESSIONS))["total"] == 2
    assert await bob.refused("GET", at(mine)) == "404 SESSION_NOT_FOUND"
    assert (await bob.ok("GET", SESSIONS))["total"] == 0
    assert (await service.ok("GET", SESSIONS))["total"] == 3
    nobody = await service.ok("POST", "/v1/sessions", {"agent": "echo"})
    assert (await service.ok("GET", f"{SESSIONS}/{nobody['id']}"))["userId"] == NIL


async def test_a_session_of_another_contract_never_expires_until_somebody_says_so(
    service: Caller, platform: Platform
) -> None:
    native = await service.ok("POST", "/v1/sessions", {"agent": "echo", "user_id": BOB})
    url = f"{SESSIONS}/{native['id']}"
    wait(platform, 1000)
    info = await service.ok("GET", url)
    assert (info["timeoutConfig"], info["timeRemaining"]) == (USUAL, 30 * 60_000)
    status = (await service.ok("POST", f"{url}/messages", {"content": "hi"}))["sessionStatus"]
    assert (status["wasRenewed"], status["renewalCount"]) == (False, 0)
    changed = {"maxDurationMinutes": 900, "timeoutMinutes": 10}
    info = await service.ok("PATCH", f"{url}/timeout", changed)
    assert info["timeoutConfig"] == USUAL | changed
    assert await service.refused("GET", url) == "410 SESSION_EXPIRED"
