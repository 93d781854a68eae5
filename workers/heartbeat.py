"""The lease, kept by beats, and how sure this worker may be of it."""

import asyncio
from collections.abc import Callable

import structlog

from shared.ids import WorkerId
from workers.ports import Execution
from workers.timing import Timing

log = structlog.get_logger(__name__)

_RETRY_SECONDS = 1.0


class Lease:
    """When the last beat was confirmed, on this process's clock."""

    def __init__(self, *, lease_seconds: float, heartbeat_seconds: float, timing: Timing) -> None:
        self._trust_seconds = lease_seconds - heartbeat_seconds
        self._timing = timing
        self._confirmed = timing.monotonic()

    def confirm(self, asked_at: float) -> None:
        """Count from when the beat was asked for: it may have been written right then."""
        self._confirmed = asked_at

    def fresh(self) -> bool:
        """Whether there is time to claim before anybody could take this worker for dead."""
        return self._timing.monotonic() - self._confirmed < self._trust_seconds

    async def wait(self) -> None:
        """Return once it is fresh."""
        while not self.fresh():
            await self._timing.sleep(_RETRY_SECONDS / 2)


class Heartbeat:
    """Beats until it is told that this worker was buried."""

    def __init__(
        self,
        *,
        worker_id: WorkerId,
        execution: Execution,
        lease: Lease,
        free_slots: Callable[[], int],
        every_seconds: float,
        timing: Timing,
    ) -> None:
        self._worker_id = worker_id
        self._execution = execution
        self._lease = lease
        self._free_slots = free_slots
        self._every = every_seconds
        self._timing = timing

    async def run(self, buried: Callable[[], None]) -> None:
        """Beat at its interval, sooner while the database is away, until buried."""
        while True:
            asked_at = self._timing.monotonic()
            try:
                async with asyncio.timeout(self._every):
                    alive = await self._execution.beat(self._worker_id, self._free_slots())
            except Exception as error:  # noqa: BLE001  # whatever it was, nothing was confirmed
                log.warning("beat_missed", error=repr(error))
                await self._timing.sleep(min(_RETRY_SECONDS, self._every))
                continue
            if not alive:
                buried()
                return
            self._lease.confirm(asked_at)
            await self._timing.sleep(self._every - (self._timing.monotonic() - asked_at))
