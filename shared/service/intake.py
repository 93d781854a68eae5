"""Intake: check, commit, answer. The broker is told afterwards."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from shared.dispatch.relay import Relay
from shared.domain.errors import InturnError, Overloaded, QueueFull
from shared.domain.idempotency import Idempotency
from shared.domain.limits import QueueBounds
from shared.domain.message import size_of
from shared.domain.principal import Principal
from shared.domain.rates import Meter
from shared.domain.requests import Accepted, NewMessage
from shared.ids import MessageId, PrincipalId, RunId, new_id
from shared.service.once import fresh
from shared.signals import Signals
from shared.storage import intake, upkeep
from shared.storage.group_commit import Lane
from shared.storage.intake import Taken
from shared.storage.store import Store, Transaction

_WAITING_AT_MOST = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A message of our own making: its ids are the same however often it is tried."""

    principal: Principal
    new: NewMessage
    message_id: MessageId
    run_id: RunId


class Intake:
    """Where messages come in."""

    def __init__(self, store: Store, signals: Signals, relay: Relay, bounds: QueueBounds) -> None:
        self._store = store
        self._signals = signals
        self._relay = relay
        self._bounds = bounds
        self._queued: Counter[PrincipalId] = Counter()
        self._queued_by_all = 0
        self._lane: Lane[intake.Intake, Taken] = store.lane(
            "intake", self._accept, capacity=_WAITING_AT_MOST, size_of=_size
        )

    async def accept(
        self, principal: Principal, new: NewMessage, *, meters: tuple[Meter, ...] = ()
    ) -> Accepted:
        """Return once message and run are committed to disk.

        Raises NotFound, SessionEnded, SessionBusy, SessionQueueFull, RateLimited, QueueFull,
        Overloaded, and nothing is stored then; or Unavailable, and nobody knows.
        """
        return fresh(await self.accept_once(principal, new, None, meters=meters))

    async def accept_once(
        self,
        principal: Principal,
        new: NewMessage,
        idempotency: Idempotency[Accepted] | None,
        *,
        meters: tuple[Meter, ...] = (),
    ) -> Taken:
        """Accept, or return what the same key was answered first.

        Raises like `accept`, and IdempotencyKeyReused.
        """
        self._check_totals(principal)
        taken = await self._lane(
            intake.Intake(
                principal=principal,
                new=new,
                message_id=MessageId(new_id()),
                run_id=RunId(new_id()),
                max_queued=self._bounds.per_session,
                meters=meters,
                idempotency=idempotency,
            )
        )
        if isinstance(taken, Accepted):
            self.note(principal, taken)
        return taken

    async def take_in(
        self, transaction: Transaction, entries: Sequence[Entry]
    ) -> list[Accepted | InturnError]:
        """Accept as part of a larger transaction, or say why not; `note` it once committed."""
        refused: dict[RunId, InturnError] = {}
        for entry in entries:
            try:
                self._check_totals(entry.principal)
            except InturnError as refusal:
                refused[entry.run_id] = refusal
        admitted = [
            intake.Intake(
                principal=entry.principal,
                new=entry.new,
                message_id=entry.message_id,
                run_id=entry.run_id,
                max_queued=self._bounds.per_session,
                tried=True,
            )
            for entry in entries
            if entry.run_id not in refused
        ]
        taken = iter(await intake.accept(self._store, transaction, admitted))
        results = [refused.get(entry.run_id) or next(taken) for entry in entries]
        return [result if isinstance(result, InturnError) else fresh(result) for result in results]

    def note(self, principal: Principal, accepted: Accepted) -> None:
        """Tell relay, workers and whoever waits of what is committed."""
        self._queued[principal.id] += 1
        self._queued_by_all += 1
        self._relay.poke([accepted.run.pool])
        for run_id in accepted.told_runs:
            self._signals.cancel_requested(run_id)
        self._signals.moved(accepted.run.session_id)

    async def refresh_totals(self) -> None:
        """Count what is queued; until the next count, own accepts are added to it."""
        async with self._store.reading() as reading:
            self._queued = Counter(await upkeep.queued_totals(reading))
        self._queued_by_all = self._queued.total()

    def _check_totals(self, principal: Principal) -> None:
        if self._queued[principal.id] >= self._bounds.per_principal:
            detail = f"You have {self._bounds.per_principal} queued runs; wait for some to end."
            raise QueueFull(detail, retry_after=10)
        if self._queued_by_all >= self._bounds.overall:
            raise Overloaded("This server has too many queued runs; try later.", retry_after=30)

    async def _accept(
        self, transaction: Transaction, intakes: Sequence[intake.Intake]
    ) -> list[Taken | InturnError]:
        return await intake.accept(self._store, transaction, intakes)


def _size(item: intake.Intake) -> int:
    return size_of(item.new.content)
