"""What an attempt stands on."""

from collections.abc import AsyncIterator

import pytest

from tests.unit.workshop import FakeExecution, Flight
from workers.agents import Troupe
from workers.agents_loop import AgentsLoop
from workers.attempt import Stage


@pytest.fixture
async def agents_loop() -> AsyncIterator[AgentsLoop]:
    loop = AgentsLoop()
    loop.start()
    yield loop
    loop.stop(5)


@pytest.fixture
def execution() -> FakeExecution:
    return FakeExecution()


@pytest.fixture
def flight() -> Flight:
    return Flight()


@pytest.fixture
def stage(execution: FakeExecution, agents_loop: AgentsLoop, flight: Flight) -> Stage:
    return Stage(
        execution=execution,
        agents_loop=agents_loop,
        troupe=Troupe(scripted=True),
        run_timeout_seconds=60,
        timing=flight.timing(),
    )
