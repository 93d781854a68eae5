"""A worker: everything between the broker and the agents, composed.

Used by `inturn serve`, on uvicorn's loop, and by the Dramatiq child, on its house loop.
"""

import asyncio
import os
import socket
from collections.abc import Callable, Collection, Coroutine, Sequence
from typing import Any

import structlog
from dramatiq import Worker

from shared.bootstrap import Platform
from shared.domain.execution import NewWorker
from shared.ids import RunId, WorkerId, new_id
from workers import exits
from workers.admission import Admission
from workers.agents import Troupe
from workers.agents_loop import AgentsLoop
from workers.attempt import GRACE_SECONDS, Stage
from workers.deliverer import AT_ONCE, Deliverer
from workers.ending import Stop
from workers.heartbeat import Heartbeat, Lease
from workers.inbox import Inbox, close_consumers
from workers.outbound import TOTAL_SECONDS, Outbound
from workers.reconcile import Reconciliation
from workers.roster import Roster
from workers.slots import Slots
from workers.timing import Timing
from workers.watchdog import Watchdog

log = structlog.get_logger(__name__)

CLOSE_SECONDS = 5.0  # for the broker to close, for a claim in flight, for a last write
RECONCILE_SECONDS = 1.0
DELIVER_SECONDS = 2.0  # for webhooks under way when everything else has been drained


class WorkerRuntime:
    """Start it on the house loop, give it a consumer, and drain it before it is stopped."""

    def __init__(
        self,
        platform: Platform,
        *,
        pools: Sequence[str],
        name: str | None = None,
        timing: Timing | None = None,
        die: Callable[[int], object] = os._exit,
    ) -> None:
        self.worker_id = WorkerId(new_id())
        self._platform = platform
        self._pools = tuple(pools)
        self._name = name or f"{socket.gethostname()}:{os.getpid()}"
        self._die = die
        settings, timing = platform.settings, timing or Timing()
        self._timing = timing
        self._slots = Slots(settings.slots)
        self._agents_loop = AgentsLoop()
        self._lease = Lease(
            lease_seconds=settings.lease_seconds,
            heartbeat_seconds=settings.heartbeat_seconds,
            timing=timing,
        )
        stage = Stage(
            execution=platform.execution,
            agents_loop=self._agents_loop,
            troupe=Troupe(scripted=settings.scripted_agent),
            run_timeout_seconds=settings.run_timeout_seconds,
            timing=timing,
        )
        self.roster = Roster(stage, self._slots)
        self._admission = Admission(
            worker_id=self.worker_id,
            execution=platform.execution,
            slots=self._slots,
            lease=self._lease,
            holds=self.roster.holds,
            begin=self.roster.begin,
            buried=self._buried,
            timing=timing,
        )
        hold_seconds = settings.lease_seconds
        self._outbound = Outbound(
            platform.targets, at_once=AT_ONCE, total_seconds=min(TOTAL_SECONDS, hold_seconds / 2)
        )
        self._deliverer = Deliverer(
            platform.delivering, self._outbound, hold_seconds=hold_seconds, timing=timing
        )
        self._worker: Worker | None = None
        self._own_worker = False
        self._draining = self._retired = False
        self._keepers: list[asyncio.Task[None]] = []
        self._forget: Callable[[], None] = lambda: None

    async def start(self) -> None:
        """Report for work and declare the actor; nothing is consumed yet."""
        await self._platform.execution.register(
            NewWorker(
                id=self.worker_id,
                name=self._name,
                pools=self._pools,
                slots=self._platform.settings.slots,
            )
        )
        self._lease.confirm(self._timing.monotonic())
        self._agents_loop.start()
        self._keepers = [asyncio.create_task(each) for each in self._watches()]
        self._forget = self._platform.signals.on_cancel(self._cancel)
        Inbox(
            self._admission, namespace=self._platform.settings.namespace, pools=self._pools
        ).declare(self._platform.broker)
        log.info("worker_started", worker_id=str(self.worker_id), pools=self._pools)

    def consume(self) -> None:
        """Take announcements in this process, on threads of our own."""
        threads = self._platform.settings.admission_threads
        worker = Worker(self._platform.broker, worker_threads=threads, worker_timeout=500)
        worker.queue_prefetch = threads
        worker.start()
        self._worker, self._own_worker = worker, True

    def adopt(self, worker: Worker) -> None:
        """Know whose consumers to close when draining; who made it stops it."""
        self._worker = worker

    async def drain(self, seconds: float | None = None) -> None:
        """Claim nothing more, let runs end for `seconds`, give back the rest, retire."""
        allowed = self._platform.settings.drain_seconds if seconds is None else seconds
        deadline = self._timing.monotonic() + allowed
        self._draining = True
        await self._close_admission()
        await self.roster.wait(seconds=deadline - self._timing.monotonic())
        log.info("worker_drained", given_back=len(self.roster.attempts))
        await self._end(set(self.roster.attempts), Stop.GIVE_BACK)
        await self._deliverer.drain(DELIVER_SECONDS)
        await self._retire()

    async def stop(self) -> None:
        """End every task and thread of ours."""
        self._forget()
        for task in self._keepers:
            task.cancel()
        if self._keepers:
            await asyncio.wait(self._keepers, timeout=CLOSE_SECONDS)
        await self._deliverer.drain(0)
        await self._outbound.close()
        if self._worker and self._own_worker:
            await asyncio.to_thread(self._worker.stop, int(CLOSE_SECONDS * 1000))
        await asyncio.to_thread(self._agents_loop.stop, GRACE_SECONDS)

    def _watches(self) -> list[Coroutine[Any, Any, None]]:
        settings, execution = self._platform.settings, self._platform.execution
        heartbeat = Heartbeat(
            worker_id=self.worker_id,
            execution=execution,
            lease=self._lease,
            free_slots=lambda: 0 if self._draining else self._slots.free,
            every_seconds=settings.heartbeat_seconds,
            timing=self._timing,
        )
        reconciliation = Reconciliation(
            worker_id=self.worker_id,
            execution=execution,
            registry=self.roster.attempts,
            claiming=self._admission.claiming,
            timing=self._timing,
        )
        watchdog = Watchdog(
            self._agents_loop, limit_seconds=settings.watchdog_seconds, timing=self._timing
        )
        return [
            heartbeat.run(self._buried),
            reconciliation.run(RECONCILE_SECONDS),
            watchdog.run(self._blocked),
            self._deliverer.run(),
        ]

    def _cancel(self, run_id: RunId) -> None:
        self.roster.stop({run_id}, Stop.CANCEL)

    async def _end(self, run_ids: Collection[RunId], why: Stop) -> None:
        self.roster.stop(run_ids, why)
        await self.roster.wait(run_ids, seconds=GRACE_SECONDS + CLOSE_SECONDS)

    async def _close_admission(self) -> None:
        self._admission.freeze()
        if self._worker:
            await asyncio.to_thread(close_consumers, self._worker, CLOSE_SECONDS)
        self._admission.release()
        await self._admission.settled(CLOSE_SECONDS)

    async def _retire(self) -> None:
        self._retired = True
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._platform.execution.retire(self.worker_id)
        except Exception as error:  # noqa: BLE001  # the sweeper buries who did not retire
            log.warning("not_retired", error=repr(error))

    async def _blocked(self) -> None:
        """Give everybody else back, charge the run that has the loop, and end the process."""
        culprit = self._agents_loop.executing()
        everybody = set(self.roster.attempts)
        guilty = {culprit} & everybody if culprit else everybody
        log.critical("agents_loop_blocked", run_ids=[str(run_id) for run_id in guilty])
        self._draining = True
        self._admission.freeze()
        await self._admission.settled(CLOSE_SECONDS)
        await self._end(self.roster.attempts.keys() - guilty, Stop.GIVE_BACK)
        await self._end(guilty, Stop.CHARGE)
        await self._retire()
        self._die(exits.BLOCKED)

    def _buried(self) -> None:
        if self._retired:
            return  # by its own hand
        everybody = set(self.roster.attempts)
        log.critical("worker_buried", worker_id=str(self.worker_id), runs=len(everybody))
        self.roster.stop(everybody, Stop.ABORT)
        self._die(exits.BURIED)
