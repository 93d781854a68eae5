"""Messages that recur, as a client sees them."""

from typing import Any

from shared.bootstrap import Platform
from shared.clock import SECOND
from tests.api.caller import Caller, outcome

WEEKDAYS = {"message": {"content": "What is new?"}, "cron": "0 9 * * 1-5"}


async def opened(caller: Caller) -> str:
    session: dict[str, str] = await caller.ok("POST", "/v1/sessions", {"agent": "echo"})
    return session["id"]


async def repeated(caller: Caller, session: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    body = {"session_id": session, **WEEKDAYS, **more}
    made: dict[str, Any] = await caller.ok("POST", "/v1/schedules", body)
    return made


async def test_a_schedule_from_the_cradle_to_the_grave(ada: Caller, platform: Platform) -> None:
    session = await opened(ada)
    message = {"content": [{"type": "text", "text": "?"}], "metadata": {"a": 1}, "inputs": {"b": 2}}
    body = {
        "session_id": session,
        "message": message,
        "cron": "* * * * *",
        "time_zone": "Asia/Tokyo",
        "missed": "once",
        "correlation_id": "daily",
    }
    response = await ada.call("POST", "/v1/schedules", body)
    made = response.json()
    assert response.status_code == 201
    assert response.headers["location"] == f"/v1/schedules/{made['id']}"
    assert made["message"].items() > message.items()
    assert (made["time_zone"], made["missed"], made["paused_at"]) == ("Asia/Tokyo", "once", None)
    url = f"/v1/schedules/{made['id']}"
    assert await ada.ok("GET", url) == made

    paused = await ada.ok("POST", f"{url}/pause")
    assert (paused["next_at"], paused["paused_at"] is None) == (None, False)
    resumed = await ada.ok("POST", f"{url}/resume")
    assert resumed == made

    store = platform.execution._store  # noqa: SLF001
    store.offset += 61 * SECOND
    await platform.upkeep.due()
    fired = await ada.ok("GET", url)
    assert fired["last_fired_at"] == made["next_at"]
    run = await ada.ok("GET", f"/v1/runs/{fired['last_run_id']}")
    assert (run["session_id"], run["correlation_id"]) == (session, "daily")
    listed = await ada.ok("GET", f"/v1/sessions/{session}/messages")
    [sent] = listed["data"]
    assert sent["author_id"] == "ada"
    assert sent["metadata"] == {
        "a": 1,
        "schedule": {"id": made["id"], "due_at": made["next_at"]},
    }

    assert (await ada.call("DELETE", url)).status_code == 204
    assert await ada.refused("GET", url) == "404 not_found"
    assert await ada.refused("DELETE", url) == "404 not_found"
    assert (await ada.ok("GET", f"/v1/runs/{run['id']}"))["status"] == "queued"


async def test_schedules_are_listed_for_whoever_sees_their_sessions(
    ada: Caller, bob: Caller, service: Caller
) -> None:
    mine, other = await opened(ada), await opened(ada)
    made = [(await repeated(ada, mine))["id"] for _ in range(2)]
    made.append((await repeated(service, other))["id"])
    for caller in (ada, service):
        first = await caller.ok("GET", "/v1/schedules?limit=2")
        rest = await caller.ok("GET", f"/v1/schedules?limit=2&cursor={first['next_cursor']}")
        assert [each["id"] for each in first["data"] + rest["data"]] == made[::-1]
    of_one = await ada.ok("GET", f"/v1/schedules?session_id={other}")
    assert [each["id"] for each in of_one["data"]] == [made[-1]]
    assert (await bob.ok("GET", "/v1/schedules"))["data"] == []
    assert (await bob.ok("GET", f"/v1/schedules?session_id={mine}"))["data"] == []
    for method, rest in (("GET", ""), ("DELETE", ""), ("POST", "/pause"), ("POST", "/resume")):
        assert await bob.refused(method, f"/v1/schedules/{made[0]}{rest}") == "404 not_found"
    body = {"session_id": mine, **WEEKDAYS}
    assert await bob.refused("POST", "/v1/schedules", body) == "404 not_found"


WRONGS: list[tuple[dict[str, object], list[str]]] = [
    ({"cron": "0 9 * *"}, ["body", "cron"]),
    ({"cron": "0 0 9 * * *"}, ["body", "cron"]),
    ({"cron": "0 0 31 2 *"}, ["body", "cron"]),
    ({"cron": "0 0 */31 * 1#5"}, ["body", "cron"]),
    ({"time_zone": "Mars/Olympus"}, ["body", "time_zone"]),
    ({"missed": "later"}, ["body", "missed"]),
    ({"message": {"content": "x" * 32_001}}, ["body", "message", "content"]),
    ({"message": {"content": "x", "deadline": None}}, ["body", "message", "deadline"]),
]


async def test_what_is_wrong_with_it_is_said_by_name(ada: Caller) -> None:
    session = await opened(ada)
    for wrong, loc in WRONGS:
        body = {"session_id": session, **WEEKDAYS, **wrong}
        response = await ada.call("POST", "/v1/schedules", body)
        assert outcome(response) == "422 validation_failed"
        assert response.json()["errors"][0]["loc"] == loc


async def test_the_same_key_makes_one_schedule(ada: Caller) -> None:
    body = {"session_id": await opened(ada), **WEEKDAYS}
    first = await ada.call("POST", "/v1/schedules", body, Idempotency_Key="k")
    again = await ada.call("POST", "/v1/schedules", body, Idempotency_Key="k")
    assert (again.status_code, again.text) == (201, first.text)
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["idempotent-replayed"] == "true"
    assert len((await ada.ok("GET", "/v1/schedules"))["data"]) == 1
