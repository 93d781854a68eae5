"""Runs through a real store: SQLite, the embedded broker and a worker in this process."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from shared.bootstrap import Platform, open_platform
from shared.clock import Instant
from shared.domain.message import Role
from shared.domain.paging import Page
from shared.domain.principal import Principal, Scope
from shared.domain.requests import Decision, MessageFilter, NewMessage, NewSession
from shared.domain.run import Run, RunStatus
from shared.ids import RunId, SessionId
from shared.settings import Settings
from workers.runtime import WorkerRuntime
from workers.sweeper import keep_sweeping

CALLER = Principal(tenant="default", user_id=None, scope=Scope.ADMIN)
SECONDS = 20.0


@dataclass
class Shop:
    platform: Platform

    async def session(self, agent: str = "scripted") -> SessionId:
        return (await self.platform.sessions.create(CALLER, NewSession(agent=agent))).id

    async def say(self, session_id: SessionId, content: str) -> RunId:
        new = NewMessage(session_id=session_id, content=content, correlation_id="c-1")
        return (await self.platform.intake.accept(CALLER, new)).run.id

    async def play(self, *steps: list[Any]) -> RunId:
        return await self.say(await self.session(), json.dumps({"do": steps}))

    async def end(self, run_id: RunId) -> Run:
        return await self.platform.runs.wait(CALLER, run_id, seconds=SECONDS)


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    async with open_platform(Settings(data_dir=tmp_path, scripted_agent=True)) as platform:
        runtime = WorkerRuntime(platform, pools=("default",))
        await runtime.start()
        runtime.consume()
        sweeping = asyncio.create_task(keep_sweeping(platform.upkeep, sweep_seconds=1.0))
        yield Shop(platform)
        sweeping.cancel()
        await runtime.drain(0.0)
        await runtime.stop()


async def test_twenty_messages_are_answered_in_order(shop: Shop) -> None:
    session_id = await shop.session("echo")
    run_ids = [await shop.say(session_id, f"m{number}") for number in range(20)]
    runs = [await shop.end(run_id) for run_id in run_ids]
    assert {run.status for run in runs} == {RunStatus.SUCCEEDED}
    answers = await shop.platform.messages.list(
        CALLER,
        MessageFilter(session_id=session_id, roles=frozenset({Role.ASSISTANT})),
        Page(limit=50),
    )
    assert [each.content for each in answers.data] == [f"m{number}" for number in range(20)]


@pytest.mark.parametrize("steps", [[], [["emit", "streamed"]]])
async def test_every_rung_of_the_ladder_is_there_in_order(
    shop: Shop, steps: list[list[Any]]
) -> None:
    run_id = await shop.say(await shop.session(), json.dumps({"do": steps, "reply": "done"}))
    assert ladder(await shop.end(run_id)) == sorted(ladder(await shop.end(run_id)))


def ladder(run: Run) -> list[Instant]:
    rungs = (
        run.stored_at, run.announced_at, run.claimed_at, run.first_token_at, run.settled_at,
    )  # fmt: skip
    assert None not in rungs
    assert run.claimed_by is not None
    assert run.claimed_attempt == 1
    return [each for each in rungs if each is not None]


async def test_what_fails_once_succeeds_at_the_second_attempt(shop: Shop) -> None:
    run = await shop.end(await shop.play(["fail_times", 1], ["emit", "there"]))
    assert (run.status, run.attempt) == (RunStatus.SUCCEEDED, 2)
    assert run.output
    assert run.output.content == "there"


async def test_a_cancelled_run_keeps_what_it_said(shop: Shop) -> None:
    run_id = await shop.play(["emit", "so far"], ["sleep", 60])
    session_id = (await shop.platform.runs.get(CALLER, run_id)).session_id
    session = await shop.platform.standings.get(CALLER, session_id)
    while not session.active_run:
        session = await shop.platform.standings.wait(
            CALLER, session_id, version=session.version, seconds=SECONDS
        )
    await shop.platform.runs.cancel(CALLER, run_id, reason="enough")
    run = await shop.end(run_id)
    assert run.status is RunStatus.CANCELLED


async def test_an_approval_pauses_a_run_and_resuming_ends_it(shop: Shop) -> None:
    run_id = await shop.play(["approve", "pay", {"eur": 5}], ["emit", "paid"])
    waiting = await shop.end(run_id)
    assert waiting.status is RunStatus.WAITING
    (approval,) = waiting.approvals
    decision = Decision(call_id=approval.call_id, approved=True)
    await shop.platform.runs.resume(CALLER, run_id, (decision,))
    run = await shop.end(run_id)
    assert (run.status, run.attempt) == (RunStatus.SUCCEEDED, 1)


async def test_what_cannot_succeed_fails_with_its_code(shop: Shop) -> None:
    run = await shop.end(await shop.say(await shop.session(), "no script"))
    assert run.error
    assert run.error.code == "bad_script"
