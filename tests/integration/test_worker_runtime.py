"""A whole worker on the embedded broker, its store in memory."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from dramatiq import Message

from inturn.agents import AgentContext
from shared.bootstrap import Platform
from shared.dispatch.embedded import EmbeddedBroker
from shared.dispatch.topology import ACTOR_NAME, message, queue_name
from shared.domain.agent import AgentKind
from shared.domain.message import Reply
from shared.domain.outcome import Cancelled, GivenBack, Succeeded
from shared.ids import RunId
from shared.service.targets import Targets
from shared.settings import Settings
from shared.signals import Signals
from tests.unit.postman import Tray
from tests.unit.workshop import FakeExecution, a_run_id, an_agent, an_assignment
from workers import exits
from workers.runtime import WorkerRuntime

Start = Callable[..., Awaitable[WorkerRuntime]]


class Plant:
    """A worker with all that is around it, and what became of its process."""

    def __init__(self) -> None:
        self.broker = EmbeddedBroker()
        self.signals = Signals()
        self.execution = FakeExecution()
        self.died: asyncio.Queue[int] = asyncio.Queue()

    async def start(self, **settings: Any) -> WorkerRuntime:  # noqa: ANN401  # of Settings
        platform = SimpleNamespace(
            settings=Settings(scripted_agent=True, **{"admission_threads": 8} | settings),
            signals=self.signals,
            broker=self.broker,
            execution=self.execution,
            targets=Targets(allow_private=False),
            delivering=Tray(),
        )
        self.runtime = WorkerRuntime(
            cast("Platform", platform), pools=("default", "slow"), die=self.died.put_nowait
        )
        await self.runtime.start()
        self.runtime.consume()
        return self.runtime

    def announce(self, run_id: RunId, pool: str = "default") -> None:
        self.broker.enqueue(message(run_id, queue_name("inturn", pool)))

    async def until(self, true: Callable[[], bool]) -> None:
        """Look again whenever the loop has turned; another thread is at work."""
        async with asyncio.timeout(10):
            while not true():
                await asyncio.to_thread(threading.Event().wait, 0.002)

    def outcomes(self) -> dict[RunId, object]:
        return {each.run_id: each.outcome for each in self.execution.settlements}


@pytest.fixture
async def plant() -> AsyncIterator[Plant]:
    plant = Plant()
    yield plant
    await plant.runtime.stop()


def script(*steps: list[Any]) -> str:
    return json.dumps({"do": steps})


async def test_announcements_of_every_pool_become_answers(plant: Plant) -> None:
    plant.execution.assignment = an_assignment("hello", an_agent(AgentKind.ECHO))
    await plant.start()
    one, two = a_run_id(), a_run_id()
    plant.announce(one)
    plant.announce(one)
    plant.announce(two, "slow")
    await plant.until(lambda: len(plant.outcomes()) == 2)
    answer = Succeeded(reply=Reply(content="hello"))
    assert plant.outcomes() == {one: answer, two: answer}
    await plant.until(lambda: not plant.runtime.roster.attempts)


async def test_what_is_no_announcement_becomes_a_dead_letter(plant: Plant) -> None:
    await plant.start()
    bad: Message[object] = Message(
        queue_name=queue_name("inturn", "default"),
        actor_name=ACTOR_NAME,
        args=("no run id",),
        kwargs={},
        options={},
    )
    plant.broker.enqueue(bad)
    await plant.until(lambda: len(plant.broker.dead_letters) == 1)
    assert not plant.execution.claimed


async def test_a_cancel_signal_reaches_the_run(plant: Plant) -> None:
    plant.execution.assignment = an_assignment(script(["sleep", 60]))
    await plant.start()
    run_id = a_run_id()
    plant.announce(run_id)
    await plant.until(lambda: run_id in plant.runtime.roster.attempts)
    plant.signals.cancel_requested(a_run_id())
    plant.signals.cancel_requested(run_id)
    await plant.until(lambda: bool(plant.execution.settlements))
    assert plant.outcomes() == {run_id: Cancelled(partial=None)}


async def test_a_drain_gives_back_runs_and_announcements(plant: Plant) -> None:
    plant.execution.assignment = an_assignment(script(["sleep", 60]))
    await plant.start(slots=1)
    running, waiting = a_run_id(), a_run_id()
    plant.announce(running)
    await plant.until(lambda: running in plant.runtime.roster.attempts)
    plant.announce(waiting)
    queue = plant.broker.queues[queue_name("inturn", "default")]
    await plant.until(queue.empty)
    await plant.runtime.drain(0.0)
    assert plant.outcomes() == {running: GivenBack()}
    assert queue.get_nowait().args == (waiting.hex,)
    assert plant.execution.claimed == [running]
    assert plant.execution.retired
    assert plant.died.empty()


async def test_a_drain_lets_runs_end(plant: Plant) -> None:
    plant.execution.assignment = an_assignment(script(["sleep", 0.05], ["emit", "done"]))
    await plant.start()
    run_id = a_run_id()
    plant.announce(run_id)
    await plant.until(lambda: run_id in plant.runtime.roster.attempts)
    await plant.runtime.drain()
    assert plant.outcomes() == {run_id: Succeeded(reply=Reply(content="done"))}


leave = threading.Event()


async def blocking_agent(ctx: AgentContext) -> str:
    if ctx.content == "block":
        leave.wait(20)
    await asyncio.Event().wait()
    return "never"


async def test_a_run_that_blocks_the_agents_loop_is_charged_alone(plant: Plant) -> None:
    blocker = an_agent(AgentKind.PYTHON, path=f"{__name__}:blocking_agent")
    plant.execution.assignment = an_assignment("innocent", blocker)
    await plant.start(watchdog_seconds=0.5)
    innocent, guilty = a_run_id(), a_run_id()
    plant.announce(innocent)
    await plant.until(lambda: innocent in plant.runtime.roster.attempts)
    plant.execution.assignment = an_assignment("block", blocker)
    plant.announce(guilty)
    async with asyncio.timeout(20):
        assert await plant.died.get() == exits.BLOCKED
    leave.set()
    assert plant.outcomes() == {innocent: GivenBack(), guilty: GivenBack(lost=True)}
    assert [each.run_id for each in plant.execution.settlements] == [innocent, guilty]
    assert plant.execution.retired


async def test_a_buried_worker_writes_nothing_and_leaves(plant: Plant) -> None:
    plant.execution.assignment = an_assignment(script(["sleep", 60]))
    plant.execution.answers["beat"] = [True, False]
    await plant.start(heartbeat_seconds=0.2)
    run_id = a_run_id()
    plant.announce(run_id)
    async with asyncio.timeout(20):
        assert await plant.died.get() == exits.BURIED
    await plant.until(lambda: not plant.runtime.roster.attempts)
    assert not plant.execution.settlements


async def test_a_beat_after_retirement_is_no_burial(plant: Plant) -> None:
    await plant.start(heartbeat_seconds=0.05)
    await plant.runtime.drain()
    plant.execution.answers["beat"] = [False]
    await plant.until(lambda: not plant.execution.answers["beat"])
    assert plant.died.empty()
