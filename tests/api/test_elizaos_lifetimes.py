"""ElizaOS sessions renewed, kept alive and given other policies; what happens at their end."""

import pytest

from shared.bootstrap import Platform
from tests.api.caller import Caller
from tests.api.eliza import Body, at, minutes, opened, problem, sent, wait

SHORT = {"timeoutMinutes": 5}


async def look(caller: Caller, session: Body) -> Body:
    body: Body = await caller.ok("GET", at(session))
    return body


async def test_messages_and_heartbeats_put_the_end_off(service: Caller, platform: Platform) -> None:
    session = await opened(service, timeoutConfig=SHORT)
    wait(platform, 4)
    status = (await sent(service, session))["sessionStatus"]
    assert (status["wasRenewed"], status["renewalCount"]) == (True, 1)
    wait(platform, 4)
    info = await service.ok("POST", f"{at(session)}/heartbeat")
    assert (info["renewalCount"], minutes(info, "lastActivity")) == (2, 5)
    assert minutes(info) == pytest.approx(13, abs=0.1)
    wait(platform, 4)
    assert (await look(service, session))["renewalCount"] == 2


async def test_without_auto_renewal_only_a_renewal_does(
    service: Caller, platform: Platform
) -> None:
    session = await opened(service, timeoutConfig=SHORT | {"autoRenew": False})
    wait(platform, 4)
    status = (await sent(service, session))["sessionStatus"]
    assert (status["wasRenewed"], status["renewalCount"]) == (False, 0)
    assert (status["expiresAt"], status["isNearExpiration"]) == (session["expiresAt"], True)
    info = await service.ok("POST", f"{at(session)}/heartbeat")
    assert (info["renewalCount"], info["expiresAt"]) == (0, session["expiresAt"])
    assert info["lastActivity"] > session["createdAt"]
    info = await service.ok("POST", f"{at(session)}/renew")
    assert (info["renewalCount"], info["timeoutConfig"]["autoRenew"]) == (1, False)
    assert minutes(info) == pytest.approx(9, abs=0.1)


async def test_renew_and_heartbeat_read_no_body(service: Caller) -> None:
    session = await opened(service)
    for path in ("renew", "heartbeat"):
        url = f"{at(session)}/{path}"
        assert (await service.ok("POST", url, {"anything": 1}))["sessionId"]
        sending = await service.http.post(
            url, content=b"\xff not json", headers={"X-API-Key": service.key}
        )
        assert sending.status_code == 200


async def test_no_renewal_reaches_beyond_the_longest_duration(
    service: Caller, platform: Platform
) -> None:
    session = await opened(service, timeoutConfig={"timeoutMinutes": 6, "maxDurationMinutes": 8})
    wait(platform, 5)
    assert minutes(await service.ok("POST", f"{at(session)}/renew")) == 8
    wait(platform, 2)
    info = await service.ok("POST", f"{at(session)}/renew")
    assert (minutes(info), info["renewalCount"]) == (8, 2)
    wait(platform, 2)
    response = await service.call("POST", f"{at(session)}/renew")
    assert response.status_code == 422
    error = problem(response)
    assert error["code"] == "SESSION_RENEWAL_FAILED"
    assert error["message"].startswith(f"Cannot renew session '{session['sessionId']}': ")
    details = error["details"]
    assert (details["maxDuration"], details["createdAt"]) == (8, session["createdAt"])
    assert 9 * 60_000 <= details["timeSinceCreation"] < 10 * 60_000
    for method, path in (("GET", ""), ("POST", "/heartbeat"), ("PATCH", "/timeout")):
        assert await service.refused(method, at(session) + path, {}) == "410 SESSION_EXPIRED"


async def test_an_expired_session_says_so_for_a_while(service: Caller, platform: Platform) -> None:
    session = await opened(service, timeoutConfig=SHORT)
    wait(platform, 6)
    for _ in range(2):
        response = await service.call("GET", at(session))
        assert response.status_code == 410
        assert problem(response) == {
            "code": "SESSION_EXPIRED",
            "message": f"Session '{session['sessionId']}' expired at {session['expiresAt']}",
            "details": {
                "sessionId": session["sessionId"],
                "expiresAt": session["expiresAt"],
            },
        }
    calls: list[tuple[str, str, object]] = [
        ("POST", "/renew", None),
        ("POST", "/heartbeat", None),
        ("PATCH", "/timeout", {}),
        ("PATCH", "/timeout", {"timeoutMinutes": 1}),
        ("PATCH", "/timeout", None),
        ("GET", "/messages", None),
        ("GET", "/messages?before=x", None),
        ("POST", "/messages", {"content": "hi"}),
        ("POST", "/messages", {"content": ""}),
    ]
    for method, path, body in calls:
        assert await service.refused(method, at(session) + path, body) == "410 SESSION_EXPIRED"
    wait(platform, 24 * 60 + 10)
    for method, path, body in calls:
        assert await service.refused(method, at(session) + path, body) == "404 SESSION_NOT_FOUND"
    assert await service.refused("GET", at(session)) == "404 SESSION_NOT_FOUND"
    assert await service.refused("DELETE", at(session)) == "404 SESSION_NOT_FOUND"
    native = await service.ok("GET", f"/v1/sessions/{session['sessionId']}")
    assert native["message_count"] == 0


async def test_a_policy_is_changed_where_it_is_named(service: Caller, platform: Platform) -> None:
    session = await opened(service, timeoutConfig={"timeoutMinutes": 90, "autoRenew": False})
    url = f"{at(session)}/timeout"
    assert (await service.ok("PATCH", url, {}))["timeoutConfig"] == session["timeoutConfig"]
    info = await service.ok("PATCH", url, {"maxDurationMinutes": "1000", "color": "red"})
    policy = session["timeoutConfig"] | {"maxDurationMinutes": 1000}
    assert info["timeoutConfig"] == policy
    info = await service.ok("PATCH", url, {"timeoutMinutes": "soon", "warningThresholdMinutes": -1})
    policy |= {"timeoutMinutes": 30, "warningThresholdMinutes": 1}
    assert info["timeoutConfig"] == policy
    assert minutes(info) == 30
    assert (info["renewalCount"], info["lastActivity"]) == (0, session["createdAt"])
    info = await service.ok("PATCH", url, {"timeoutMinutes": 7.5})
    assert (info["timeoutConfig"]["timeoutMinutes"], minutes(info)) == (7.5, 7.5)
    wait(platform, 6)
    info = await service.ok("PATCH", url, {"timeoutMinutes": 5})
    assert info["timeRemaining"] == 0
    assert await service.refused("GET", at(session)) == "410 SESSION_EXPIRED"


async def test_a_policy_that_cannot_be_is_refused(service: Caller) -> None:
    session = await opened(service)
    url = f"{at(session)}/timeout"
    wrongs: list[object] = [
        None, [], "x", 5,
        {"timeoutMinutes": 4.9}, {"timeoutMinutes": 1441}, {"timeoutMinutes": "0"},
        {"timeoutMinutes": ""}, {"timeoutMinutes": None}, {"timeoutMinutes": True},
        {"maxDurationMinutes": []}, {"warningThresholdMinutes": {}},
        {"autoRenew": "true"}, {"autoRenew": 1}, {"autoRenew": None},
    ]  # fmt: skip
    for wrong in wrongs:
        response = await service.call("PATCH", url, wrong)
        assert response.status_code == 400, wrong
        error = problem(response)
        assert error["code"] == "VALIDATION_ERROR"
        assert error["message"].startswith("Invalid timeout configuration: ")
        assert error["details"]["providedConfig"] == wrong
    assert (await look(service, session))["timeoutConfig"] == session["timeoutConfig"]
