"""Slots: how many runs this process performs at once."""

import asyncio
from collections import deque

from shared import telemetry


class Slots:
    """Taken by an admission, kept by its run until nothing of the run is executing any more."""

    def __init__(self, size: int) -> None:
        self._free = size
        self._waiting: deque[asyncio.Future[None]] = deque()
        telemetry.SLOTS_FREE.set(size)

    @property
    def free(self) -> int:
        """How many nobody holds."""
        return self._free

    def take(self) -> bool:
        """Take a slot now, if one is free and nobody waits for it."""
        if not self._free or self._waiting:
            return False
        self._change(-1)
        return True

    async def wait(self, seconds: float) -> bool:
        """Take a slot, waiting for it in turn; false if none came free in `seconds`."""
        if self.take():
            return True
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            await asyncio.wait({waiter}, timeout=seconds)
        except asyncio.CancelledError:
            if not self._leave(waiter):
                self.give()
            raise
        return not self._leave(waiter)

    def give(self) -> None:
        """Hand the slot to who waits longest, else let it be free."""
        if self._waiting:
            self._waiting.popleft().set_result(None)
        else:
            self._change(1)

    def _leave(self, waiter: asyncio.Future[None]) -> bool:
        """Stop waiting; false if the slot had been handed over already."""
        if waiter.done():
            return False
        self._waiting.remove(waiter)
        return True

    def _change(self, by: int) -> None:
        self._free += by
        telemetry.SLOTS_FREE.set(self._free)
