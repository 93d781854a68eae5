"""What a session may begin with: what was said before, and when it expires."""

from datetime import datetime, timedelta
from typing import Any

from shared.bootstrap import Platform
from shared.clock import SECOND
from tests.api.caller import Caller, outcome

Opened = dict[str, Any]
PAIR: list[dict[str, Any]] = [
    {"role": "user", "content": "Hello?"},
    {"role": "assistant", "content": "Yes."},
]


async def opened(caller: Caller, **more: object) -> Opened:
    session: Opened = await caller.ok("POST", "/v1/sessions", {"agent": "echo", **more})
    return session


async def test_what_was_said_before_is_the_beginning(ada: Caller) -> None:
    blocks = [{"type": "text", "text": "And now?"}]
    said: list[dict[str, Any]] = [*PAIR, {"role": "user", "content": blocks}, PAIR[1]]
    session = await opened(ada, initial_messages=said, correlation_id="before")
    assert (session["message_count"], session["status"], session["queue_depth"]) == (4, "idle", 0)
    url = f"/v1/sessions/{session['id']}"
    posted = await ada.ok("POST", f"{url}/messages", {"content": "Go on."})
    listed = (await ada.ok("GET", f"{url}/messages"))["data"]
    assert [(each["role"], each["content"]) for each in listed[:4]] == [
        (each["role"], each["content"]) for each in said
    ]
    assert [each["author_id"] for each in listed] == ["ada", None, "ada", None, "ada"]
    assert [each["run_id"] for each in listed] == [None] * 4 + [posted["run"]["id"]]
    assert {each["correlation_id"] for each in listed[:4]} == {"before"}
    assert (await ada.ok("GET", url))["message_count"] == 5


async def test_what_nobody_can_have_said_is_refused(ada: Caller) -> None:
    wrongs: list[tuple[object, list[object]]] = [
        (PAIR[:1], []),
        ([*PAIR, PAIR[0]], []),
        (PAIR[::-1], [0, "role"]),
        ([*PAIR, PAIR[0], PAIR[0]], [3, "role"]),
        ([PAIR[0], {"role": "assistant", "content": "x" * 32_001}], [1, "content"]),
        ([PAIR[0], {"role": "system", "content": "x"}], [1, "role"]),
        (PAIR * 101, []),
    ]
    for said, loc in wrongs:
        assert await refused_at(ada, "initial_messages", said) == loc


async def refused_at(caller: Caller, field: str, value: object) -> list[object]:
    """Where in the field it is wrong."""
    response = await caller.call("POST", "/v1/sessions", {"agent": "echo", field: value})
    assert outcome(response) == "422 validation_failed"
    [error] = response.json()["errors"]
    assert error["loc"][:2] == ["body", field]
    inside: list[object] = error["loc"][2:]
    return inside


async def test_a_batch_opens_sessions_with_what_was_said_before(ada: Caller) -> None:
    items = [
        {"session": {"agent": "echo", "initial_messages": PAIR}, "content": "1"},
        {"session": {"agent": "echo", "initial_messages": PAIR[:1]}, "content": "2"},
        {"session": {"continue_from": "sess_" + "0" * 32}, "content": "3"},
        {"session": {"agent": "echo", "expiry": {"timeout_minutes": 5}}, "content": "4"},
    ]
    results = (await ada.ok("POST", "/v1/messages:batch", items))["results"]
    assert [each["status"] for each in results] == [202, 422, 404, 202]
    assert results[1]["error"]["errors"][0]["loc"] == ["body", 1, "session", "initial_messages"]
    url = f"/v1/sessions/{results[0]['run']['session_id']}"
    listed = (await ada.ok("GET", f"{url}/messages"))["data"]
    assert [each["content"] for each in listed] == ["Hello?", "Yes.", "1"]
    assert (await ada.ok("GET", url))["message_count"] == 3
    instants = [each["created_at"] for each in listed]
    assert instants == sorted(instants)
    expiring = await ada.ok("GET", f"/v1/sessions/{results[3]['run']['session_id']}")
    assert expiring["expires_at"] is not None


async def test_a_session_says_when_it_expires(ada: Caller, platform: Platform) -> None:
    expiry = {"timeout_minutes": 30, "max_duration_minutes": 40, "warning_threshold_minutes": 5}
    session = await opened(ada, expiry=expiry)
    assert session["expiry"] == {**expiry, "auto_renew": True}
    assert lifetime(session) == timedelta(minutes=30)
    assert (await opened(ada))["expiry"] is None
    url = f"/v1/sessions/{session['id']}"
    status = await ada.call("GET", f"{url}/status")
    assert status.json()["expires_at"] == session["expires_at"]
    store = platform.execution._store  # noqa: SLF001
    store.offset += 20 * 60 * SECOND
    await ada.ok("POST", f"{url}/messages", {"content": "hi"})
    renewed = await ada.call("GET", f"{url}/status", If_None_Match=status.headers["etag"])
    assert renewed.status_code == 200
    assert lifetime(await ada.ok("GET", url)) == timedelta(minutes=40)
    store.offset += 60 * 60 * SECOND
    await platform.upkeep.sweep()
    posted = await ada.call("POST", f"{url}/messages", {"content": "still there?"})
    assert posted.status_code == 202
    assert lifetime(await ada.ok("GET", url)) == timedelta(minutes=40)


def lifetime(session: Opened) -> timedelta:
    begun, expires = (datetime.fromisoformat(session[at]) for at in ("created_at", "expires_at"))
    return expires - begun


async def test_an_expiry_that_cannot_be_is_refused(ada: Caller) -> None:
    wrongs: list[tuple[object, list[object]]] = [
        ({}, ["timeout_minutes"]),
        ({"timeout_minutes": 0}, ["timeout_minutes"]),
        ({"timeout_minutes": 1.5}, ["timeout_minutes"]),
        ({"timeout_minutes": 9, "max_duration_minutes": 8}, []),
        ({"timeout_minutes": 9, "auto_renew": None}, ["auto_renew"]),
    ]
    for expiry, loc in wrongs:
        assert await refused_at(ada, "expiry", expiry) == loc
