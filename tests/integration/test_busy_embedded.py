"""Policies, instants and priority where runs are really performed: SQLite, embedded."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from shared.bootstrap import Platform, open_platform
from shared.clock import after, wall
from shared.domain.principal import Principal, Scope
from shared.domain.requests import Accepted, NewMessage, NewSession
from shared.domain.run import OnBusy, Run, RunStatus
from shared.domain.session import Standing
from shared.ids import RunId, SessionId
from shared.settings import Settings
from shared.storage.announcing import LEAST_OWN_WINDOW
from workers.runtime import WorkerRuntime
from workers.sweeper import keep_sweeping

CALLER = Principal(tenant="default", user_id=None, scope=Scope.ADMIN)
SECONDS = 20.0
FOREVER = json.dumps({"do": [["emit", "so far"], ["sleep", 600]]})


@pytest.fixture
async def platform(tmp_path: Path) -> AsyncIterator[Platform]:
    settings = Settings(data_dir=tmp_path, scripted_agent=True, slots=1)
    async with open_platform(settings) as opened:
        yield opened


@asynccontextmanager
async def working(platform: Platform) -> AsyncIterator[None]:
    """One worker with one slot."""
    runtime = WorkerRuntime(platform, pools=("default",))
    await runtime.start()
    runtime.consume()
    sweeping = asyncio.create_task(keep_sweeping(platform.upkeep, sweep_seconds=1.0))
    try:
        yield
    finally:
        sweeping.cancel()
        await runtime.drain(0.0)
        await runtime.stop()


async def a_session(platform: Platform, agent: str) -> SessionId:
    return (await platform.sessions.create(CALLER, NewSession(agent=agent))).id


async def say(platform: Platform, session_id: SessionId, content: str, **more: Any) -> Accepted:  # noqa: ANN401
    new = NewMessage(session_id=session_id, content=content, correlation_id="c", **more)
    return await platform.intake.accept(CALLER, new)


async def end(platform: Platform, run_id: RunId) -> Run:
    return await platform.runs.wait(CALLER, run_id, seconds=SECONDS)


async def until(platform: Platform, session_id: SessionId, so: Callable[[Standing], bool]) -> None:
    session = await platform.standings.get(CALLER, session_id)
    while not so(session):
        session = await platform.standings.wait(
            CALLER, session_id, version=session.version, seconds=SECONDS
        )


async def test_an_interrupt_stops_the_worker_and_is_answered_next(platform: Platform) -> None:
    async with working(platform):
        session_id = await a_session(platform, "scripted")
        first = await say(platform, session_id, FOREVER)
        queued = await say(platform, session_id, FOREVER)
        await until(platform, session_id, lambda session: session.active_run is not None)
        script = json.dumps({"do": [], "reply": "at once"})
        last = await say(platform, session_id, script, on_busy=OnBusy.INTERRUPT)
        assert last.cancelled_runs == (first.run.id, queued.run.id)
        ended = await end(platform, last.run.id)
        assert ended.output is not None
        assert ended.output.content == "at once"
        stopped = await end(platform, first.run.id)
        assert (stopped.status, stopped.attempt) == (RunStatus.CANCELLED, 1)
        assert (await end(platform, queued.run.id)).attempt == 0


async def test_a_scheduled_message_is_answered_when_it_is_due(platform: Platform) -> None:
    async with working(platform):
        session_id = await a_session(platform, "echo")
        due = after(wall(), 0.6)
        later = await say(platform, session_id, "later", not_before=due)
        sooner = await say(platform, session_id, "sooner")
        runs = [await end(platform, each.run.id) for each in (sooner, later)]
        assert [run.status for run in runs] == [RunStatus.SUCCEEDED] * 2
        assert (runs[1].claimed_at or 0) >= due


async def test_nobody_starts_what_is_late(platform: Platform) -> None:
    async with working(platform):
        blocked = await a_session(platform, "scripted")
        await say(platform, blocked, FOREVER)  # the only slot
        await until(platform, blocked, lambda session: session.active_run is not None)
        session_id = await a_session(platform, "echo")
        late = await say(platform, session_id, "late", deadline=after(wall(), 1.0))
        ended = await end(platform, late.run.id)
        assert ended.error is not None
        assert (ended.error.code, ended.attempt) == ("deadline_passed", 0)


async def test_the_urgent_overtake_all_that_is_not_on_its_way(platform: Platform) -> None:
    posted = [
        await say(platform, await a_session(platform, "echo"), "x", priority=priority)
        for priority in [0] * (3 * LEAST_OWN_WINDOW) + [-1, 100]
    ]
    async with working(platform):
        runs = [await end(platform, each.run.id) for each in posted]
    starts = [run.claimed_at or 0 for run in runs]
    lazy, urgent = starts[-2:]
    # What is on its way together starts in any order.
    assert sum(start < urgent for start in starts) <= LEAST_OWN_WINDOW
    assert sum(start > lazy for start in starts) < LEAST_OWN_WINDOW
