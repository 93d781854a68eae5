"""What a worker asks of the house; `shared.service.Execution` answers."""

from typing import Protocol

from shared.domain.execution import (
    Append,
    Assignment,
    Claim,
    Held,
    NewWorker,
    Refusal,
    Settled,
    Settlement,
)
from shared.ids import RunId, WorkerId


class Execution(Protocol):
    """Every verb raises `Unavailable` while the database is away."""

    async def register(self, worker: NewWorker) -> None:
        """Report for work."""

    async def beat(self, worker_id: WorkerId, free_slots: int) -> bool:
        """Keep the lease; false once buried."""

    async def claim(self, worker_id: WorkerId, run_id: RunId) -> Claim | Refusal:
        """Take a queued run."""

    async def load(self, claim: Claim) -> Assignment:
        """Read what the attempt needs."""

    async def append(self, append: Append) -> bool:
        """Write what a run says while it runs; false if its fence is not the run's any more."""

    async def settle(self, settlement: Settlement) -> Settled:
        """End an attempt, if its fence is still the run's."""

    async def hand_back(self, run_id: RunId, *, seconds: float) -> None:
        """Let an announcement that found no slot be made again."""

    async def held(self, worker_id: WorkerId) -> list[Held]:
        """List the runs that SQL says this worker holds."""

    async def others_free(self, worker_id: WorkerId, pool: str) -> bool:
        """Tell whether another live worker of the pool reports free slots."""

    async def retire(self, worker_id: WorkerId) -> None:
        """Leave cleanly: nobody waits for the lease."""
