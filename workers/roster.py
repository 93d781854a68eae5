"""The attempts that live in this process, from their claim until their slot is free again."""

import asyncio
from collections.abc import Collection, Coroutine
from typing import Any

from shared.domain.execution import Claim
from shared.ids import RunId
from workers.attempt import Attempt, Stage
from workers.ending import Stop
from workers.slots import Slots


class Roster:
    """Who is being performed; `attempts` is what reconciliation compares with."""

    def __init__(self, stage: Stage, slots: Slots) -> None:
        self.attempts: dict[RunId, Attempt] = {}
        self._stage = stage
        self._slots = slots
        self._living: set[asyncio.Task[None]] = set()
        self._leaving: set[asyncio.Task[None]] = set()

    def holds(self, run_id: RunId) -> bool:
        """Whether the run is being performed; one that settles may already be queued again."""
        attempt = self.attempts.get(run_id)
        return attempt is not None and not attempt.settling

    def begin(self, claim: Claim) -> None:
        """Start an attempt in the slot that the admission has taken for it."""
        known = self.attempts.get(claim.run_id)
        if known and known.claim.fence == claim.fence:
            self._slots.give()  # our own claim, handed over again while it settles
            return
        attempt = self.attempts[claim.run_id] = Attempt(claim, self._stage)
        _keep(self._living, self._live(attempt))

    def stop(self, run_ids: Collection[RunId], why: Stop) -> None:
        """Ask those of the runs that are here to end."""
        for run_id in self.attempts.keys() & run_ids:
            self.attempts[run_id].stop(why)

    async def wait(self, run_ids: Collection[RunId] | None = None, *, seconds: float) -> None:
        """Wait until these runs have settled, or all, but no longer than that."""
        deadline = self._stage.timing.monotonic() + seconds
        while self._living and (run_ids is None or self.attempts.keys() & run_ids):
            left = deadline - self._stage.timing.monotonic()
            if left <= 0:
                return
            await asyncio.wait(set(self._living), timeout=left, return_when=asyncio.FIRST_COMPLETED)

    async def _live(self, attempt: Attempt) -> None:
        try:
            await attempt.live()
        finally:
            if self.attempts.get(attempt.claim.run_id) is attempt:
                del self.attempts[attempt.claim.run_id]
            _keep(self._leaving, self._leave(attempt))

    async def _leave(self, attempt: Attempt) -> None:
        await attempt.left()
        self._slots.give()


def _keep(tasks: set[asyncio.Task[None]], work: Coroutine[Any, Any, None]) -> None:
    task = asyncio.get_running_loop().create_task(work)
    tasks.add(task)
    task.add_done_callback(tasks.discard)
