"""Execution: what a worker asks of the store, fenced."""

from collections.abc import Callable, Sequence

from shared import telemetry
from shared.clock import SECOND
from shared.dispatch.relay import Relay
from shared.domain.errors import InturnError
from shared.domain.event import Said
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
from shared.domain.exits import text_of
from shared.domain.message import size_of
from shared.domain.pace import Pace
from shared.domain.run import TERMINAL
from shared.ids import RunId, WorkerId
from shared.signals import Signals
from shared.storage import announcing, assignments, caps, claims, events, settling, workers
from shared.storage.group_commit import Lane
from shared.storage.starts import Refunds
from shared.storage.store import Store, Transaction

# On SQLite the verbs share one writer: what ends a run goes before what starts one.
_SETTLE_FIRST, _APPEND_NEXT, _CLAIM_THEN = 0.02, 0.015, 0.01


class Execution:
    """The life of a run between claim and exit."""

    def __init__(
        self,
        store: Store,
        signals: Signals,
        relay: Relay,
        *,
        max_wait_seconds: float,
        notified: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._signals = signals
        self._relay = relay
        self._max_wait_seconds = max_wait_seconds
        self._pace = Pace()
        self._notified = notified
        self._claim: Lane[claims.Request, Claim | Refusal | claims.TooLate] = store.lane(
            "claim", self._claims, head_start=_CLAIM_THEN
        )
        self._append: Lane[Append, bool] = store.lane(
            "append",
            self._appends,
            head_start=_APPEND_NEXT,
            size_of=lambda each: _weight(each.said),
        )
        self._settle = store.lane(
            "settle", self._settlements, head_start=_SETTLE_FIRST, size_of=_size
        )
        self._brief = store.lane("brief", self._briefs, reading=True)

    async def register(self, worker: NewWorker) -> None:
        """Report for work. The same worker again changes nothing."""
        async with self._store.transaction() as transaction:
            now = await self._store.now(transaction)
            await workers.register(transaction, worker, now)

    async def beat(self, worker_id: WorkerId, free_slots: int) -> bool:
        """Renew the lease on every run this worker holds; false once it was buried."""
        async with self._store.transaction() as transaction:
            now = await self._store.now(transaction)
            seconds = self._pace.seconds
            return await workers.beat(transaction, worker_id, free_slots, seconds, now)

    async def claim(self, worker_id: WorkerId, run_id: RunId) -> Claim | Refusal:
        """Take the right to perform one attempt, or learn why not."""
        result = await self._claim(claims.Request(worker_id, run_id))
        if isinstance(result, Claim):
            waited = (result.claimed_at - result.stored_at) / SECOND
            telemetry.RUN_WAIT_SECONDS.labels(result.pool).observe(waited)
            self._signals.moved(result.session_id)
        if isinstance(result, claims.TooLate):
            self._signals.moved(result.session_id)
            self._relay.poke([result.pool])
            return Refusal.NOT_CLAIMABLE
        return result

    async def load(self, claim: Claim) -> Assignment:
        """Read what the attempt needs to know. Raises NotFound if the run is gone."""
        return await self._brief(claim)

    async def append(self, append: Append) -> bool:
        """Write what a run says while it runs; false if the fence was stale."""
        accepted = await self._append(append)
        if accepted:
            self._signals.spoke(append.session_id)
        else:
            telemetry.REFUSED_WRITES.inc()
        return accepted

    async def settle(self, settlement: Settlement) -> Settled:
        """Write an exit from `running`; `accepted` is false if the fence was stale."""
        settled = await self._settle(settlement)
        if not settled.accepted:
            telemetry.REFUSED_WRITES.inc()
            return settled
        if settled.status in TERMINAL and settled.pool is not None:
            seconds = telemetry.RUN_SECONDS.labels(settled.pool, settled.status)
            seconds.observe(settled.seconds)
            self._pace.note(settled.pool, settled.seconds)
        if settled.pool is not None:
            self._relay.poke([settled.pool])
        if settled.notified:
            self._notified()
        self._signals.moved(settlement.session_id)
        return settled

    async def hand_back(self, run_id: RunId, *, seconds: float) -> None:
        """Return an announcement that found no slot; it comes again after `seconds`."""
        async with self._store.transaction() as transaction:
            pool = await announcing.hand_back(self._store, transaction, run_id, seconds)
        if pool is not None:
            self._relay.poke([pool])

    async def held(self, worker_id: WorkerId) -> list[Held]:
        """List what SQL says this worker holds."""
        async with self._store.reading() as reading:
            return await workers.held(reading, worker_id)

    async def others_free(self, worker_id: WorkerId, pool: str) -> bool:
        """Tell whether another live worker of the pool reports free slots."""
        async with self._store.reading() as reading:
            return await workers.others_free(reading, worker_id, pool)

    async def retire(self, worker_id: WorkerId) -> None:
        """Exit by oneself, holding nothing any more."""
        async with self._store.transaction() as transaction:
            now = await self._store.now(transaction)
            await workers.retire(transaction, worker_id, now)

    async def _claims(
        self, transaction: Transaction, requests: Sequence[claims.Request]
    ) -> list[Claim | Refusal | claims.TooLate | InturnError]:
        return await claims.claim(self._store, transaction, requests)

    async def _appends(
        self, transaction: Transaction, appends: Sequence[Append]
    ) -> list[bool | InturnError]:
        return await events.append(transaction, appends)

    async def _settlements(
        self, transaction: Transaction, settlements: Sequence[Settlement]
    ) -> list[Settled | InturnError]:
        refunds = await Refunds.lock(transaction, settlements)
        settled = await settling.settle(
            self._store, transaction, settlements, max_wait_seconds=self._max_wait_seconds
        )
        await caps.hand_on(transaction, settled)
        await refunds.give(transaction, settled)
        return settled

    async def _briefs(
        self, reading: Transaction, held: Sequence[Claim]
    ) -> list[Assignment | InturnError]:
        return await assignments.brief(reading, held)


def _size(settlement: Settlement) -> int:
    reply = text_of(settlement.outcome)
    return (size_of(reply.content) if reply else 0) + _weight(settlement.said)


def _weight(said: Said | None) -> int:
    return sum(event.weight for event in said.events) if said else 0
