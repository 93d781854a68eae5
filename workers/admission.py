"""From an announcement to a claim; on the house loop.

Returning from `admit` acknowledges the announcement. Whatever passes by itself is waited for,
unacknowledged, which stops consumption; nothing here raises.
"""

import asyncio
from collections.abc import Callable
from typing import NoReturn

import structlog

from shared.domain.errors import Unavailable
from shared.domain.execution import Claim, Refusal
from shared.ids import RunId, WorkerId, spell
from workers.bounces import PATIENT_HOLD_SECONDS, Bounces
from workers.heartbeat import Lease
from workers.ports import Execution
from workers.slots import Slots
from workers.timing import Timing, patiently

log = structlog.get_logger(__name__)

LONGEST_HOLD_SECONDS = 300.0
_BROKEN_PAUSE_SECONDS = 5.0


class Admission:
    """Slot, claim, start. One instance per process, at most its threads' number at a time."""

    def __init__(
        self,
        *,
        worker_id: WorkerId,
        execution: Execution,
        slots: Slots,
        lease: Lease,
        holds: Callable[[RunId], bool],
        begin: Callable[[Claim], None],
        buried: Callable[[], None],
        timing: Timing,
    ) -> None:
        self.claiming: set[RunId] = set()
        self._worker_id = worker_id
        self._execution = execution
        self._slots = slots
        self._lease = lease
        self._holds = holds
        self._begin = begin
        self._buried = buried
        self._timing = timing
        self._bounces = Bounces(timing.monotonic)
        self._others: dict[str, tuple[float, bool]] = {}
        self._admitting: dict[RunId, asyncio.Task[None]] = {}
        self._frozen = False
        self._released = False

    async def admit(self, run_id: RunId, pool: str) -> None:
        """Claim the run and start it, if there is anything to claim."""
        task = asyncio.current_task()
        if task is None or self._released or run_id in self._admitting:
            return
        self._admitting[run_id] = task
        try:
            await self._admit(run_id, pool)
        except asyncio.CancelledError:
            if not self._released:
                raise
        finally:
            del self._admitting[run_id]

    def freeze(self) -> None:
        """Answer nothing any more: the broker is about to take back what is unclaimed."""
        self._frozen = True

    def release(self) -> None:
        """Let go of every announcement that is waiting; nobody listens to the answers now."""
        self._released = True
        for run_id, task in self._admitting.items():
            if run_id not in self.claiming:
                task.cancel()

    async def settled(self, seconds: float) -> None:
        """Wait for the claims in flight, but no longer than that."""
        tasks = [self._admitting[run_id] for run_id in self.claiming & self._admitting.keys()]
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)

    async def _admit(self, run_id: RunId, pool: str) -> None:
        try:
            # Only then: without its lease this worker may hold what is no longer its own.
            await self._lease.wait()
            if self._holds(run_id):
                return
            if not await self._slot(run_id, pool):
                await self._hand_back(run_id, self._bounces.pause(run_id))
                return
            await self._claim(run_id)
        except Exception:
            # Acknowledged without a claim: the row must not wait for the sweeper to miss it.
            log.exception("admission_failed", run_id=spell("run", run_id))
            await self._hand_back(run_id, _BROKEN_PAUSE_SECONDS)

    async def _slot(self, run_id: RunId, pool: str) -> bool:
        if self._frozen:
            await _for_ever()
        if self._slots.take():
            return True
        hold, held = self._bounces.hold(run_id), 0.0
        while held < LONGEST_HOLD_SECONDS:
            if await self._slots.wait(hold):
                return True
            if await self._others_free(pool):
                self._bounces.note(run_id)
                return False
            hold, held = PATIENT_HOLD_SECONDS, held + hold
        return False

    async def _claim(self, run_id: RunId) -> None:
        try:
            answer = await patiently(lambda: self._ask(run_id), self._timing)
        except BaseException:
            self._slots.give()
            raise
        # No pause since the answer: reconciliation sees the run in `claiming` or registered.
        if isinstance(answer, Claim):
            self._begin(answer)
            return
        self._slots.give()
        if answer is Refusal.WORKER_LOST:
            self._buried()

    async def _ask(self, run_id: RunId) -> Claim | Refusal:
        await self._lease.wait()
        if self._frozen:
            await _for_ever()
        self.claiming.add(run_id)
        try:
            return await self._execution.claim(self._worker_id, run_id)
        finally:
            self.claiming.discard(run_id)

    async def _others_free(self, pool: str) -> bool:
        """Ask once a second, for all who wait."""
        asked_at, answer = self._others.get(pool, (float("-inf"), False))
        now = self._timing.monotonic()
        if now - asked_at < 1.0:
            return answer
        try:
            answer = await self._execution.others_free(self._worker_id, pool)
        except Unavailable:
            answer = False
        self._others[pool] = (now, answer)
        return answer

    async def _hand_back(self, run_id: RunId, seconds: float) -> None:
        await patiently(lambda: self._execution.hand_back(run_id, seconds=seconds), self._timing)


async def _for_ever() -> NoReturn:
    await asyncio.get_running_loop().create_future()
    raise AssertionError
