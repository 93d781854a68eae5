"""Runs: lists, retry, resume."""

import pytest

from shared.bootstrap import Platform
from shared.domain.outcome import Failed, Paused
from shared.domain.run import Approval, RunError
from tests.api.caller import Caller
from tests.api.performer import Performer


@pytest.fixture
async def run(service: Caller) -> str:
    session = await service.ok("POST", "/v1/sessions", {"agent": "echo"})
    posted = await service.ok("POST", f"/v1/sessions/{session['id']}/messages", {"content": "hi"})
    name: str = posted["run"]["id"]
    return name


async def test_a_queued_run_says_why_it_waits(
    service: Caller, run: str, platform: Platform
) -> None:
    await Performer(platform).enlist()
    read = await service.ok("GET", f"/v1/runs/{run}")
    assert read["waiting_for"]["cause"] == "queue_depth"
    assert read["attempts"] == []


async def test_the_next_run_of_a_session_names_the_one_before(service: Caller, run: str) -> None:
    session = (await service.ok("GET", f"/v1/runs/{run}"))["session_id"]
    posted = await service.ok("POST", f"/v1/sessions/{session}/messages", {"content": "and?"})
    assert posted["run"]["waiting_for"]["cause"] == "session_busy"


async def test_runs_are_found_by_status_agent_and_correlation(service: Caller, run: str) -> None:
    correlation_id = (await service.ok("GET", f"/v1/runs/{run}"))["correlation_id"]
    for query in ("status=queued", "agent=echo", f"correlation_id={correlation_id}"):
        found = await service.ok("GET", f"/v1/runs?{query}")
        assert [each["id"] for each in found["data"]] == [run]
    for query in ("status=failed", "agent=nobody", "correlation_id=other"):
        assert (await service.ok("GET", f"/v1/runs?{query}"))["data"] == []


async def test_only_what_failed_or_was_cancelled_is_retried(
    service: Caller, run: str, platform: Platform
) -> None:
    assert await service.refused("POST", f"/v1/runs/{run}/retry") == "409 not_retryable"
    performer = Performer(platform)
    await performer.start(run)
    error = RunError(code="agent_error", message="no luck")
    await performer.end(run, Failed(error=error))
    failed = await service.ok("GET", f"/v1/runs/{run}")
    assert failed["error"] == {"code": "agent_error", "message": "no luck", "retryable": False}
    assert [each["number"] for each in failed["attempts"]] == [1]
    response = await service.call("POST", f"/v1/runs/{run}/retry")
    again = response.json()
    assert (response.status_code, again["retry_of"]) == (202, run)
    assert response.headers["location"] == f"/v1/runs/{again['id']}"
    assert again["message_ids"] == failed["message_ids"]


async def test_a_human_decides(service: Caller, run: str, platform: Platform) -> None:
    decisions = {"approvals": [{"call_id": "c1", "approved": True, "reason": "fine"}]}
    url = f"/v1/runs/{run}/resume"
    assert await service.refused("POST", url, decisions) == "409 not_waiting"
    performer = Performer(platform)
    await performer.start(run)
    pending = Approval(call_id="c1", tool="pay", arguments={"amount": 5})
    await performer.end(run, Paused(approvals=(pending,)))
    waiting = await service.ok("GET", f"/v1/runs/{run}")
    assert waiting["waiting_for"]["cause"] == "approval"
    assert waiting["approvals"][0]["arguments"] == {"amount": 5}
    unknown = {"approvals": [{"call_id": "c2", "approved": True}]}
    assert await service.refused("POST", url, unknown) == "422 validation_failed"
    assert (await service.ok("POST", url, decisions))["status"] == "queued"


async def test_cancel_is_idempotent_and_takes_no_body(service: Caller, run: str) -> None:
    first = await service.ok("POST", f"/v1/runs/{run}/cancel")
    second = await service.ok("POST", f"/v1/runs/{run}/cancel", {"reason": "again"})
    assert first == second
    assert first["status"] == "cancelled"
