import asyncio
import threading
from collections.abc import AsyncIterator

import pytest

from shared import telemetry
from shared.domain.message import Reply
from tests.unit.workshop import Flight, a_run_id, within
from workers.agents_loop import AgentsLoop
from workers.watchdog import Watchdog


@pytest.fixture
async def agents_loop() -> AsyncIterator[AgentsLoop]:
    loop = AgentsLoop()
    loop.start()
    yield loop
    loop.stop(5)


async def test_a_quick_loop_answers(agents_loop: AgentsLoop) -> None:
    watchdog = Watchdog(agents_loop, limit_seconds=60, timing=Flight().timing())
    assert await watchdog.once() or await watchdog.once()


async def test_it_names_the_run_whose_child_task_has_the_loop(agents_loop: AgentsLoop) -> None:
    blocked, leave = threading.Event(), threading.Event()

    async def block() -> None:
        blocked.set()
        leave.wait(10)

    async def blocker() -> Reply:
        await asyncio.create_task(block())
        return Reply(content="at last")

    async def innocent() -> Reply:
        await asyncio.sleep(0)
        return Reply()

    assert agents_loop.executing() is None
    guilty, other = a_run_id(), a_run_id()
    performances = [
        agents_loop.perform(other, innocent),
        agents_loop.perform(guilty, blocker),
    ]
    await asyncio.to_thread(blocked.wait, 10)
    assert agents_loop.executing() == guilty
    flight, barked = Flight(), asyncio.Event()

    async def bark() -> None:
        barked.set()

    watchdog = Watchdog(agents_loop, limit_seconds=60, timing=flight.timing())
    await within(watchdog.run(bark))
    assert barked.is_set()
    assert flight.now >= 1060.0
    assert telemetry.AGENT_LOOP_LAG._value.get() >= 60.0  # noqa: SLF001
    leave.set()
    await within(asyncio.wait({each.ended for each in performances}))
    assert performances[1].ended.result() == Reply(content="at last")
