"""Powabase: streams that wait, for a human or for a worker; the worker is the test itself."""

import asyncio
import json
from typing import Any

import pytest
from starlette.types import ASGIApp

from ingress.dialects.powabase.streaming import MANNER
from shared.bootstrap import Platform
from shared.domain.message import Reply
from shared.domain.outcome import Cancelled, Paused
from shared.domain.principal import Principal
from shared.domain.run import Approval
from shared.settings import Settings
from tests.api.caller import Caller
from tests.api.listener import Listener, listening
from tests.api.performer import Performer
from tests.api.powabase import ECHO

STREAM, BODY = f"{ECHO}/run/stream", b'{"message": "hi"}'


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"sync_wait_seconds": 0.01})


def events(listener: Listener) -> list[dict[str, Any]]:
    lines = listener.text.splitlines()
    return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]


async def started(listener: Listener) -> str:
    await listener.until_said('"start"')
    return str(events(listener)[0]["run_id"])


async def test_a_human_is_asked_and_decides_on_everything(
    app: ASGIApp, service: Caller, platform: Platform
) -> None:
    performer = Performer(platform)
    pending = (
        Approval(call_id="c1", tool="pay", arguments={"euro": 5}),
        Approval(call_id="c2", tool="tell", arguments=None),
    )
    async with listening(app, service.key, STREAM, BODY) as listener:
        run = await started(listener)
        await performer.start(run)
        await performer.end(run, Paused(approvals=pending))
        await listener.until_said('"c2"')
        asking = [each for each in events(listener) if each["event"] == "approval_requested"]
        assert [(each["tool_name"], each["tool_input"]) for each in asking] == [
            ("pay", {"euro": 5}), ("tell", None),
        ]  # fmt: skip
        assert {each["run_id"] for each in asking} == {run}
        url = f"/api/agents/runs/{run}/approve"
        assert await service.ok("POST", url, {"approved": False}) == {"status": "resumed"}
        read = await service.ok("GET", f"/v1/runs/{run}")
        assert [each["approved"] for each in read["approvals"]] == [False, False]
        await performer.answer(run, "then not")
        await listener.until_said('"complete"')
    assert events(listener)[-1]["content"] == "then not"


async def test_a_session_that_is_deleted_ends_the_stream_with_an_error(
    app: ASGIApp, service: Caller
) -> None:
    async with listening(app, service.key, STREAM, BODY) as listener:
        run = await started(listener)
        session = events(listener)[0]["session_id"]
        await service.ok("DELETE", f"/api/sessions/{session}")
        await listener.until_said('"error"')
        assert events(listener)[-1] == {
            "event": "error", "error": "Run not found", "message": "Run not found", "run_id": run,
        }  # fmt: skip


async def test_a_server_that_leaves_says_where_to_look(
    app: ASGIApp, service: Caller, platform: Platform
) -> None:
    async with listening(app, service.key, STREAM, BODY) as listener:
        run = await started(listener)
        platform.signals.release()
        await listener.until_said('"error"')
    last = events(listener)[-1]
    assert (last["event"], last["run_id"]) == ("error", run)
    assert "goes on" in last["error"]
    assert (await service.ok("GET", f"/api/agents/runs/{run}"))["status"] == "pending"


async def test_who_hangs_up_is_answered_all_the_same(
    app: ASGIApp, service: Caller, platform: Platform
) -> None:
    async with listening(app, service.key, STREAM, BODY) as listener:
        run = await started(listener)
    await Performer(platform).answer(run, "late")
    assert (await service.ok("GET", f"/api/agents/runs/{run}"))["content"] == "late"


async def test_a_cancelled_run_failed_of_that(
    app: ASGIApp, service: Caller, platform: Platform
) -> None:
    performer = Performer(platform)
    async with listening(app, service.key, STREAM, BODY) as listener:
        run = await started(listener)
        await performer.start(run)
        await service.ok("POST", f"/v1/runs/{run}/cancel")
        await performer.end(run, Cancelled(partial=Reply(content="so f")))
        await listener.until_said('"complete"')
    *_, error, complete = events(listener)
    assert (error["event"], error["error"]) == ("error", "cancelled")
    assert (complete["status"], complete["error"], complete["content"]) == (
        "failed", "cancelled", "so f",
    )  # fmt: skip
    session = complete["session_id"]
    assert (await service.ok("GET", f"/api/sessions/{session}/messages"))["messages"] == []
    [run_] = (await service.ok("GET", f"/api/sessions/{session}/runs"))["runs"]
    assert (run_["status"], run_["error"]) == ("failed", "cancelled")


async def test_who_asks_says_how_long_it_waits(
    service: Caller, platform: Platform, owner: Principal
) -> None:
    body = {"message": "hi", "timeout_seconds": 300}
    response, _ = await asyncio.gather(
        service.call("POST", f"{ECHO}/run", body),
        Performer(platform).answer_next(owner, "at last"),
    )
    assert (response.status_code, response.json()["content"]) == (200, "at last")
    late = await service.call("POST", f"{ECHO}/run", {"message": "hi"})
    assert late.status_code == 504


def test_silence_is_filled_as_the_contract_says() -> None:
    assert (MANNER.keep_alive, MANNER.seconds) == (b": keepalive\n\n", 30.0)
