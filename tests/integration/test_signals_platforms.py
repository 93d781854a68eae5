"""An ingress and a worker that share a database and a broker, and nothing in memory."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from shared.bootstrap import Platform, migrate_database, open_platform
from shared.bootstrap import platform as composition
from shared.dispatch.topology import declarations, queue_name
from shared.domain.principal import Principal, Scope
from shared.domain.requests import NewMessage, NewSession
from shared.domain.run import RunStatus
from shared.ids import RunId, SessionId
from shared.settings import Settings
from shared.signals import RabbitWire, VersionPoller
from tests.integration.test_worker_embedded import ladder
from workers import runtime
from workers.runtime import WorkerRuntime

CALLER = Principal(tenant="default", user_id=None, scope=Scope.ADMIN)
SECONDS = 20.0
NEVER = 3600.0


@pytest.fixture
async def settings(
    new_database: Callable[[], str],
    broker_url: str,
    namespace: str,
    queues: set[str],
    tmp_path: Path,
) -> Settings:
    space = f"{namespace}.{uuid.uuid4().hex[:8]}"
    queues.update(name for name, _ in declarations(queue_name(space, "default")))
    settings = Settings(
        database_url=new_database(),
        broker_url=broker_url,
        namespace=space,
        data_dir=tmp_path,
        scripted_agent=True,
    )
    await migrate_database(settings)
    return settings


@asynccontextmanager
async def working(settings: Settings) -> AsyncIterator[Platform]:
    """A worker with a platform of its own."""
    async with open_platform(settings) as platform:
        worker = WorkerRuntime(platform, pools=("default",))
        await worker.start()
        worker.consume()
        yield platform
        await worker.drain(0.0)
        await worker.stop()


@pytest.fixture
async def ingress(settings: Settings) -> AsyncIterator[Platform]:
    async with open_platform(settings) as platform:
        yield platform


async def play(ingress: Platform, session_id: SessionId, *steps: list[Any]) -> RunId:
    new = NewMessage(session_id=session_id, content=json.dumps({"do": steps}), correlation_id="c-1")
    return (await ingress.intake.accept(CALLER, new)).run.id


async def a_session(ingress: Platform) -> SessionId:
    return (await ingress.sessions.create(CALLER, NewSession(agent="scripted"))).id


async def until_up(*platforms: Platform) -> None:
    async with asyncio.timeout(SECONDS):
        while not all(each.signals.up for each in platforms):  # noqa: ASYNC110  # nothing tells
            await asyncio.sleep(0)


async def until_running(ingress: Platform, session_id: SessionId) -> None:
    async with asyncio.timeout(SECONDS):
        while not (await ingress.sessions.get(CALLER, session_id)).active_run:
            pass


@pytest.fixture
def by_signal_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody polls, nobody reconciles."""
    monkeypatch.setattr(VersionPoller, "interval", NEVER)
    monkeypatch.setattr(runtime, "RECONCILE_SECONDS", NEVER)


@pytest.mark.usefixtures("by_signal_alone")
async def test_who_waits_is_told_and_who_works_is_stopped(
    ingress: Platform, settings: Settings
) -> None:
    async with working(settings) as worker:
        await until_up(ingress, worker)
        session_id = await a_session(ingress)
        answered = await play(ingress, session_id, ["emit", "hello"])
        run = await ingress.runs.wait(CALLER, answered, seconds=SECONDS)
        assert run.output
        assert ladder(run) == sorted(ladder(run))
        stopped = await play(ingress, session_id, ["sleep", 60])
        await until_running(ingress, session_id)
        await ingress.runs.cancel(CALLER, stopped, reason=None)
        ended = await ingress.runs.wait(CALLER, stopped, seconds=SECONDS)
        assert ended.status is RunStatus.CANCELLED


async def test_waiting_ends_where_signals_look_up_and_are_not(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = f"{settings.namespace}.elsewhere"
    monkeypatch.setattr(composition, "wire_of", lambda s: RabbitWire(s.broker_url, elsewhere))
    async with open_platform(settings) as ingress:
        monkeypatch.undo()
        monkeypatch.setattr(VersionPoller, "interval", 0.1)
        async with working(settings):
            session_id = await a_session(ingress)
            run_id = await play(ingress, session_id, ["sleep", 0.2], ["emit", "hello"])
            run = await ingress.runs.wait(CALLER, run_id, seconds=SECONDS)
            assert run.status is RunStatus.SUCCEEDED
            session = await ingress.sessions.get(CALLER, session_id)
            await play(ingress, session_id, ["emit", "hello"])
            moved = await ingress.standings.wait(
                CALLER, session_id, version=session.version, seconds=SECONDS
            )
            assert moved.version > session.version
