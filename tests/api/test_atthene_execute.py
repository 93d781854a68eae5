"""Atthene: executing a message, and what comes back."""

import asyncio

import pytest

from shared.bootstrap import Platform
from shared.clock import Instant
from shared.domain.event import EventType, NewEvent, Said
from shared.domain.message import Reply, ToolCall
from shared.domain.outcome import Failed, Outcome, Paused, Succeeded
from shared.domain.run import Approval, RunError
from shared.settings import Settings
from tests.api.atthene import at, end_next, executed, opened
from tests.api.caller import Caller, Json
from tests.api.performer import Performer

TOOLED = Succeeded(
    reply=Reply(
        content="It is warm.",
        tool_calls=(
            ToolCall(call_id="c1", name="weather", arguments={"city": "Bern"}, result={"c": 24}),
            ToolCall(call_id="c2", name="mail", arguments=None, error="nobody answers"),
        ),
        usage={"input_tokens": 12, "output_tokens": 3, "cost": 0.1},
    )
)


@pytest.fixture
async def session(service: Caller) -> str:
    return await opened(service)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Where a queue may be filled."""
    return settings.model_copy(update={"max_queued_per_session": 2})


@pytest.mark.parametrize("slash", ["/", ""])
async def test_the_answer_is_three_shapes_in_one(
    service: Caller, platform: Platform, session: str, slash: str
) -> None:
    url = at(session, "execute").rstrip("/") + slash
    sending = service.ok("POST", url, {"content": "Warm?"}, X_Correlation_ID="mine")
    body, _ = await asyncio.gather(sending, end_next(platform, session, TOOLED))
    answer = body["messages"][-1]
    assert (body["success"], body["status"]) == (True, "completed")
    assert body["type"] == "execution_result"
    assert body["client_type"] == "backend"
    assert body["object"] == "agent.session"
    assert body["id"] == body["session_id"] == session
    assert body["message_id"] == answer["id"]
    assert body["response"] == {
        "content": "It is warm.",
        "tool_calls": [
            {
                "id": "c1",
                "name": "weather",
                "arguments": {"city": "Bern"},
                "result": {"c": 24},
                "status": "completed",
                "duration_ms": None,
            },
            {
                "id": "c2",
                "name": "mail",
                "arguments": None,
                "result": "nobody answers",
                "status": "error",
                "duration_ms": None,
            },
        ],
    }
    said = [(each["role"], each["content"]) for each in body["messages"]]
    assert said[0] == ("user", "Warm?")
    assert [role for role, _ in said] == ["user", "tool", "tool", "assistant"]
    assert body["correlation_id"] == body["metadata"]["correlation_id"] == "mine"
    assert body["metadata"]["execution_id"] == body["execution_id"]
    assert body["metadata"]["usage"] == {"input_tokens": 12, "output_tokens": 3}
    run = await service.ok("GET", f"/v1/runs/{body['execution_id']}")
    assert run["status"] == "succeeded"
    assert body["metadata"]["event_count"] > 0
    assert 0 <= body["completed_at"] - body["created_at"] <= body["execution_time"] + 1
    assert "error" not in body


async def test_how_long_a_tool_took_is_told(
    service: Caller, platform: Platform, session: str
) -> None:
    returned = NewEvent(
        type=EventType.TOOL_RETURNED,
        data={"call_id": "c1", "result": {"c": 24}, "duration_ms": 12},
        at=Instant(0),
    )
    said = Said(start=0, events=(returned,))
    sending = service.ok("POST", at(session, "execute"), {"content": "Warm?"})
    body, _ = await asyncio.gather(sending, end_next(platform, session, TOOLED, said))
    assert [each["duration_ms"] for each in body["response"]["tool_calls"]] == [12, None]


async def test_a_correlation_id_is_the_bodys_or_the_headers_or_ours(
    service: Caller, platform: Platform, session: str
) -> None:
    body = {"content": "hi", "correlation_id": "body"}
    first = (await executed(service, platform, session, body, X_Correlation_ID="header")).json()
    assert first["correlation_id"] == first["metadata"]["correlation_id"] == "body"
    second = await executed(service, platform, session)
    ours = second.json()
    assert ours["correlation_id"] == second.headers["x-correlation-id"]
    assert ours["metadata"]["correlation_id"] is None
    empty = (await executed(service, platform, session, X_Correlation_ID="")).json()
    assert empty["metadata"]["correlation_id"] is None
    url = at(session, "messages")
    found = await service.ok("GET", f"{url}?correlation_id=body")
    assert [each["content"] for each in found["messages"]] == ["hi", "yes"]
    assert (found["total"], found["has_more"]) == (2, False)
    assert (await service.ok("GET", f"{url}?correlation_id=nobody"))["total"] == 0


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("agent_error", "api_error"),
        ("content_policy", "content_policy_error"),
        ("run_timeout", "timeout_error"),
        ("tool_error", "tool_error"),
        ("their own word", "api_error"),
    ],
)
async def test_what_an_agent_fails_at_is_an_answer(
    service: Caller, platform: Platform, session: str, code: str, kind: str
) -> None:
    outcome = Failed(error=RunError(code=code, message="It went wrong."))
    response = await executed(service, platform, session, outcome=outcome)
    assert response.status_code == 200
    body = response.json()
    assert (body["success"], body["status"], body["message_id"]) == (False, "error", None)
    assert body["error"] == {"type": kind, "message": "It went wrong."}
    assert body["response"] == {"content": "", "tool_calls": []}
    assert [each["role"] for each in body["messages"]] == ["user"]


async def test_a_partial_answer_is_told(service: Caller, platform: Platform, session: str) -> None:
    outcome = Failed(
        error=RunError(code="agent_error", message="no"), partial=Reply(content="It is")
    )
    body = (await executed(service, platform, session, outcome=outcome)).json()
    assert (body["status"], body["response"]["content"]) == ("error", "It is")
    assert body["message_id"] == body["messages"][-1]["id"]


async def test_a_cancelled_execution_is_an_error(service: Caller, session: str) -> None:
    async def cancel() -> None:
        runs: Json = {"data": []}
        while not runs["data"]:
            runs = await service.ok("GET", f"/v1/sessions/{session}/runs")
        await service.ok("POST", f"/v1/runs/{runs['data'][0]['id']}/cancel")

    sending = service.ok("POST", at(session, "execute"), {"content": "hi"})
    body, _ = await asyncio.gather(sending, cancel())
    assert (body["success"], body["status"]) == (False, "error")
    assert "cancelled" in body["error"]["message"]


async def test_what_waits_for_a_human_goes_on(
    service: Caller, platform: Platform, session: str
) -> None:
    waiting = Paused(approvals=(Approval(call_id="c", tool="pay", arguments={}),))
    body = (await executed(service, platform, session, outcome=waiting)).json()
    assert (body["success"], body["status"], body["completed_at"]) == (False, "timeout", None)
    assert body["error"]["type"] == "timeout_error"
    assert "human" in body["error"]["message"]
    status = await service.ok("GET", at(session, "status"))
    assert status["status"] == "processing"


OUTCOMES: list[Outcome] = [TOOLED, Failed(error=RunError(code="agent_error", message="no"))]


@pytest.mark.parametrize("outcome", OUTCOMES, ids=["succeeded", "failed"])
async def test_the_same_key_waits_for_the_first_ones_run(
    service: Caller, platform: Platform, session: str, outcome: Outcome
) -> None:
    url, sent = at(session, "execute"), {"content": "hi"}
    first, second, _ = await asyncio.gather(
        service.call("POST", url, sent, Idempotency_Key="k"),
        service.call("POST", url, sent, Idempotency_Key="k"),
        end_next(platform, session, outcome),
    )
    third = await service.call("POST", url, sent, Idempotency_Key="k", X_Correlation_ID="other")
    for each in (second, third):
        assert each.json() == first.json()
    replays = [each.headers.get("idempotent-replayed") for each in (first, second, third)]
    assert sorted(filter(None, replays)) == ["true", "true"]
    other = await service.refused("POST", url, {"content": "ho"}, Idempotency_Key="k")
    assert other == "400 invalid_request_error"
    assert (await service.ok("GET", at(session, "status")))["message_count"] <= 2


async def test_who_was_answered_is_answered_alike_when_the_session_is_gone(
    service: Caller, platform: Platform, session: str
) -> None:
    await executed(service, platform, session, Idempotency_Key="k")
    await service.ok("DELETE", f"/v1/sessions/{session}")
    url = at(session, "execute")
    body = await service.ok("POST", url, {"content": "hi"}, Idempotency_Key="k")
    assert (body["session_id"], body["status"]) == (session, "timeout")
    assert await service.refused("POST", url, {"content": "hi"}) == "404 not_found_error"


async def test_a_busy_session_answers_in_turn_and_has_its_limit(
    service: Caller, platform: Platform, session: str
) -> None:
    url = f"/v1/sessions/{session}/messages"
    first = await service.ok("POST", url, {"content": "1"})
    sending = asyncio.create_task(service.ok("POST", at(session, "execute"), {"content": "2"}))
    await until(service, session, queued=2)
    refused = await service.call("POST", at(session, "execute"), {"content": "3"})
    assert refused.status_code == 429
    assert refused.json()["error"]["type"] == "rate_limit_error"
    assert int(refused.headers["retry-after"]) >= 1
    await Performer(platform).answer(first["run"]["id"], "one")
    await end_next(platform, session)
    assert (await sending)["response"]["content"] == "yes"
    listed = (await service.ok("GET", at(session, "messages")))["messages"]
    assert [each["content"] for each in listed] == ["1", "2", "one", "yes"]


async def until(caller: Caller, session: str, queued: int) -> None:
    async with asyncio.timeout(10):
        while (await caller.ok("GET", f"/v1/sessions/{session}/status"))["queue_depth"] < queued:
            pass
