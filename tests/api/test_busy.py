"""What a message may ask for: what to do about a busy session, when, and how urgently."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.bootstrap import Platform
from tests.api.caller import Caller, Json, outcome
from tests.api.performer import Performer


@pytest.fixture
async def session(service: Caller) -> str:
    created = await service.ok("POST", "/v1/sessions", {"agent": "echo"})
    return f"/v1/sessions/{created['id']}"


async def post(caller: Caller, session: str, content: str = "hi", **more: Json) -> Json:
    return await caller.ok("POST", f"{session}/messages", {"content": content, **more})


def ahead(**time: float) -> str:
    return (datetime.now(UTC) + timedelta(**time)).isoformat()


async def test_reject_is_a_conflict_only_while_the_session_is_busy(
    service: Caller, session: str
) -> None:
    await post(service, session, on_busy="reject")
    body = {"content": "again", "on_busy": "reject"}
    assert await service.refused("POST", f"{session}/messages", body) == "409 session_busy"
    assert (await service.ok("GET", f"{session}/status"))["queue_depth"] == 1


@pytest.mark.parametrize("policy", ["interrupt", "rollback"])
async def test_the_answer_lists_the_runs_that_made_room(
    service: Caller, session: str, platform: Platform, policy: str
) -> None:
    running, queued = await post(service, session, "1"), await post(service, session, "2")
    performer = Performer(platform)
    await performer.start(running["run"]["id"])
    receipt = await post(service, session, "3", on_busy=policy)
    assert receipt["cancelled_runs"] == [running["run"]["id"], queued["run"]["id"]]
    assert receipt["run"]["waiting_for"]["run_id"] == running["run"]["id"]
    cancelled = await service.ok("GET", f"/v1/runs/{queued['run']['id']}")
    assert (cancelled["status"], bool(cancelled["cancel"]["reason"])) == ("cancelled", True)
    listed = (await service.ok("GET", f"{session}/messages"))["data"]
    assert [each.get("interrupted", False) for each in listed] == [True, True, False]


async def test_coalesced_messages_share_a_run(service: Caller, session: str) -> None:
    first, second = [await post(service, session, each, on_busy="coalesce") for each in "12"]
    assert second["run"]["id"] == first["run"]["id"]
    assert second["run"]["message_ids"] == [first["message"]["id"], second["message"]["id"]]
    assert second["message"]["run_id"] == first["run"]["id"]
    stored = await service.ok("GET", second["links"]["run"])
    assert stored["message_ids"] == second["run"]["message_ids"]
    third = await post(service, session, "3", on_busy="coalesce", priority=1)
    assert third["run"]["id"] != first["run"]["id"]


async def test_what_is_scheduled_is_counted_and_shown_but_not_in_the_line(
    service: Caller, session: str
) -> None:
    due = ahead(hours=1)
    receipt = await post(service, session, not_before=due, deadline=ahead(hours=2))
    waits = receipt["run"]["waiting_for"]
    assert (waits["cause"], waits["until"][:19]) == ("not_before", due[:19])
    status = await service.ok("GET", f"{session}/status")
    assert (status["status"], status["queue_depth"], status["message_count"]) == ("idle", 1, 0)
    assert (await service.ok("GET", f"{session}/messages"))["data"] == []
    [listed] = (await service.ok("GET", f"{session}/runs"))["data"]
    assert (listed["id"], listed["waiting_for"]["cause"]) == (receipt["run"]["id"], "not_before")
    await post(service, session, on_busy="reject")
    cancelled = await service.ok("POST", f"/v1/runs/{receipt['run']['id']}/cancel")
    assert cancelled["status"] == "cancelled"


async def test_a_past_not_before_is_now(service: Caller, session: str) -> None:
    receipt = await post(service, session, not_before="2001-01-01T00:00:00Z")
    assert receipt["run"]["waiting_for"]["cause"] == "queue_depth"


BAD = [
    ({"deadline": "2001-01-01T00:00:00Z"}, "deadline"),
    ({"deadline": ahead(hours=1), "not_before": ahead(hours=2)}, "deadline"),
    ({"not_before": ahead(days=367)}, "not_before"),
    ({"not_before": ahead(hours=1), "on_busy": "interrupt"}, "on_busy"),
    ({"not_before": ahead(hours=-1), "on_busy": "coalesce"}, "on_busy"),
    ({"not_before": "2026-01-01"}, "not_before"),
    ({"deadline": "2026-01-01T00:00:00"}, "deadline"),
    ({"deadline": 1_900_000_000}, "deadline"),
    ({"priority": 101}, "priority"),
    ({"priority": -101}, "priority"),
    ({"priority": 1.5}, "priority"),
    ({"on_busy": "wait"}, "on_busy"),
    ({"reasoning": {"effort": "extreme"}}, "reasoning"),
    ({"reasoning": {}}, "reasoning"),
]


@pytest.mark.parametrize(("bad", "field"), BAD)
async def test_what_cannot_be_kept_is_refused_by_name(
    service: Caller, session: str, bad: Json, field: str
) -> None:
    response = await service.call("POST", f"{session}/messages", {"content": "hi", **bad})
    assert outcome(response) == "422 validation_failed"
    assert response.json()["errors"][0]["loc"][:2] == ["body", field]
    assert (await service.ok("GET", session))["queue_depth"] == 0


async def test_a_session_that_is_not_there_is_told_first(service: Caller) -> None:
    url = f"/v1/sessions/sess_{'0' * 32}/messages"
    body = {"content": "hi", "deadline": "2001-01-01T00:00:00Z"}
    assert await service.refused("POST", url, body) == "404 not_found"


async def test_how_hard_to_think_reaches_the_worker(
    service: Caller, session: str, platform: Platform
) -> None:
    receipt = await post(service, session, reasoning={"effort": "high"}, priority=-100)
    performer = Performer(platform)
    await performer.start(receipt["run"]["id"])
    [claim] = performer.claims.values()
    assert (await platform.execution.load(claim)).options == {"reasoning": {"effort": "high"}}


@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_a_list_of_runs_has_the_scheduled_at_its_new_end_page_by_page(
    service: Caller, session: str, order: str
) -> None:
    later = (await post(service, session, not_before=ahead(hours=2)))["run"]["id"]
    sooner = (await post(service, session, not_before=ahead(hours=1)))["run"]["id"]
    placed = [(await post(service, session))["run"]["id"] for _ in range(2)]
    for limit in (1, 2, 3, 4):
        url, seen, cursor = f"{session}/runs?order={order}&limit={limit}", [], ""
        while True:
            page = await service.ok("GET", f"{url}{cursor}")
            seen += [each["id"] for each in page["data"]]
            if page["next_cursor"] is None:
                break
            cursor = f"&cursor={page['next_cursor']}"
        expected = [*placed, sooner, later]
        assert seen == (expected if order == "asc" else expected[::-1])
