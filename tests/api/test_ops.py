"""What operators see and do: admins alone, over HTTP."""

import pytest

from shared.bootstrap import Platform
from shared.domain.outcome import Failed
from shared.domain.run import ErrorCode, RunError
from tests.api.caller import Caller, Json
from tests.api.performer import Performer


@pytest.fixture
def performer(platform: Platform) -> Performer:
    return Performer(platform)


async def posted(caller: Caller) -> Json:
    session = await caller.ok("POST", "/v1/sessions", {"agent": "echo"})
    return await caller.ok("POST", f"/v1/sessions/{session['id']}/messages", {"content": "hi"})


async def test_who_is_no_admin_is_shown_nothing(service: Caller, ada: Caller) -> None:
    for caller in (service, ada):
        for path in ("overview", "workers", "pools", "doctor"):
            assert await caller.refused("GET", f"/v1/ops/{path}") == "403 forbidden"
        body = {"agent": "echo"}
        assert await caller.refused("POST", "/v1/ops/runs:cancel", body) == "403 forbidden"


async def test_the_overview_counts_what_is_unfinished(
    admin: Caller, ada: Caller, performer: Performer
) -> None:
    before = await admin.ok("GET", "/v1/ops/overview")
    performer.platform.operations.fresh_seconds = 0
    first, _ = await posted(ada), await posted(ada)
    await performer.start(first["run"]["id"])
    seen = await admin.ok("GET", "/v1/ops/overview")
    grown = {name: seen["runs"][name] - before["runs"][name] for name in seen["runs"]}
    assert grown == {"queued": 1, "running": 1, "waiting": 0}
    assert seen["workers"]["live"] == before["workers"]["live"] + 1
    assert seen["accepted_per_second"] >= round(2 / 60, 3)
    assert "default" in [each["pool"] for each in seen["backlog"]]
    assert (seen["database"]["state"], seen["deliveries"]["pending"] >= 0) == ("up", True)
    performer.platform.operations.fresh_seconds = 60
    await posted(ada)
    assert (await admin.ok("GET", "/v1/ops/overview"))["at"] == seen["at"]


async def test_workers_are_listed_with_what_they_run(
    admin: Caller, ada: Caller, performer: Performer
) -> None:
    await performer.start((await posted(ada))["run"]["id"])
    newest = (await admin.ok("GET", "/v1/ops/workers?limit=1"))["data"][0]
    assert newest["id"] == f"worker_{performer.worker_id.hex}"
    assert (newest["name"], newest["pools"], newest["slots"]) == ("test", ["default"], 9)
    assert (newest["running"], newest["lost_at"]) == (1, None)
    await performer.execution.retire(performer.worker_id)
    lost = (await admin.ok("GET", "/v1/ops/workers?limit=1&state=lost"))["data"][0]
    assert lost["id"] == newest["id"]
    assert lost["lost_at"] is not None
    live = (await admin.ok("GET", "/v1/ops/workers?limit=200"))["data"]
    assert newest["id"] not in [each["id"] for each in live]


async def test_a_pool_is_paused_bounded_and_resumed(
    admin: Caller, ada: Caller, performer: Performer
) -> None:
    paused = await admin.ok("POST", "/v1/ops/pools/default/pause")
    try:
        run = (await posted(ada))["run"]
        await performer.enlist()
        waits = (await ada.ok("GET", f"/v1/runs/{run['id']}"))["waiting_for"]
        assert (paused["paused_at"] is not None, waits["cause"]) == (True, "paused_pool")
        bound = await admin.ok("PATCH", "/v1/ops/pools/default", {"max_running": 7})
        assert bound == paused | {"max_running": 7, "ready": bound["ready"],
                                  "workers": bound["workers"], "slots": bound["slots"],
                                  "free_slots": bound["free_slots"]}  # fmt: skip
    finally:
        await admin.ok("PATCH", "/v1/ops/pools/default", {"max_running": None})
        resumed = await admin.ok("POST", "/v1/ops/pools/default/resume", {})
    assert (resumed["paused_at"], resumed["max_running"]) == (None, None)
    await performer.answer(run["id"])
    assert resumed["name"] in [
        each["name"] for each in (await admin.ok("GET", "/v1/ops/pools"))["data"]
    ]


async def test_a_pool_that_nobody_named_is_404(admin: Caller) -> None:
    for method, path in (("POST", "/pause"), ("POST", "/resume"), ("PATCH", "")):
        body = {"max_running": 1} if method == "PATCH" else None
        url = f"/v1/ops/pools/nowhere{path}"
        assert await admin.refused(method, url, body) == "404 not_found"


async def test_runs_are_cancelled_and_retried_by_filter(
    admin: Caller, ada: Caller, performer: Performer
) -> None:
    run = (await posted(ada))["run"]
    mine = {"session_id": run["session_id"]}
    await performer.start(run["id"])
    error = RunError(code=ErrorCode.AGENT_ERROR, message="no")
    await performer.end(run["id"], Failed(error=error))
    assert await admin.ok("POST", "/v1/ops/runs:retry", mine) == {"count": 1, "more": False}
    assert await admin.ok("POST", "/v1/ops/runs:retry", mine) == {"count": 0, "more": False}
    cancelled = await admin.ok("POST", "/v1/ops/runs:cancel", mine | {"reason": "enough"})
    assert cancelled == {"count": 1, "more": False}
    runs = (await ada.ok("GET", f"/v1/sessions/{run['session_id']}/runs"))["data"]
    assert [each["status"] for each in runs] == ["cancelled", "failed"]
    assert runs[0]["retry_of"] == run["id"]
    assert runs[0]["cancel"]["reason"] == "enough"
    again = mine | {"status": "cancelled", "limit": 1}
    assert await admin.ok("POST", "/v1/ops/runs:retry", again) == {"count": 1, "more": False}


async def test_all_is_never_meant_by_mistake(admin: Caller) -> None:
    for verb in ("cancel", "retry"):
        for body in ({}, {"limit": 5}, {"agent": None}):
            url = f"/v1/ops/runs:{verb}"
            assert await admin.refused("POST", url, body) == "422 validation_failed"
        assert await admin.refused("POST", url, {"agent": "nobody"}) == "404 not_found"


async def test_the_doctor_is_asked_over_http(admin: Caller, ada: Caller) -> None:
    await posted(ada)
    seen = await admin.ok("GET", "/v1/ops/doctor")
    assert (seen["healthy"], seen["findings"]) == (True, [])
    assert next(each for each in seen["sizes"] if each["table"] == "runs")["rows"] >= 1
    kinds = {each["kind"]: each["keep_seconds"] for each in seen["retention"]}
    assert kinds["deltas of settled runs"] == 3600
