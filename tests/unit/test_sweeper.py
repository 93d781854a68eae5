import asyncio
from dataclasses import dataclass, field

import pytest

from shared.domain.errors import Unavailable
from tests.unit.workshop import Flight, eventually
from workers.sweeper import DUE_SECONDS, keep_sweeping


@dataclass
class Chores:
    done: list[str] = field(default_factory=list)

    async def due(self) -> None:
        self.done.append("due")
        raise Unavailable("away")

    async def sweep(self) -> None:
        self.done.append("sweep")
        raise RuntimeError("a defect")


async def test_nothing_that_fails_ends_the_sweeper() -> None:
    chores, flight = Chores(), Flight()
    sweeping = asyncio.create_task(keep_sweeping(chores, sweep_seconds=5, timing=flight.timing()))
    await eventually(lambda: len(chores.done) >= 8)
    assert {"due", "sweep"} == set(chores.done)
    assert {DUE_SECONDS, 5.0} == set(flight.slept)
    sweeping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sweeping
