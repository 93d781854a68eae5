"""Measures how late the agents' loop runs, and ends a process whose loop is lost."""

import asyncio
from collections.abc import Awaitable, Callable

from shared import telemetry
from workers.agents_loop import AgentsLoop
from workers.timing import Timing

_EVERY_SECONDS = 0.25


class Watchdog:
    """Sends a ping through the agents' loop, and times it, on the house loop."""

    def __init__(self, agents_loop: AgentsLoop, *, limit_seconds: float, timing: Timing) -> None:
        self._agents_loop = agents_loop
        self._limit = limit_seconds
        self._timing = timing

    async def run(self, blocked: Callable[[], Awaitable[None]]) -> None:
        """Measure until the limit is passed; then call `blocked`, once."""
        while await self.once():
            await self._timing.sleep(_EVERY_SECONDS)
        await blocked()

    async def once(self) -> bool:
        """Time one ping, exporting the lag while it grows; false if it passed the limit."""
        answered = asyncio.Event()
        house = asyncio.get_running_loop()
        sent = self._timing.monotonic()
        self._agents_loop.loop.call_soon_threadsafe(house.call_soon_threadsafe, answered.set)
        while True:
            await self._first(answered)
            lag = self._timing.monotonic() - sent
            telemetry.AGENT_LOOP_LAG.set(lag)
            if answered.is_set() or lag >= self._limit:
                return answered.is_set()

    async def _first(self, answered: asyncio.Event) -> None:
        waiting = asyncio.ensure_future(answered.wait())
        ticking = asyncio.ensure_future(self._timing.sleep(_EVERY_SECONDS))
        try:
            await asyncio.wait({waiting, ticking}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
            ticking.cancel()
