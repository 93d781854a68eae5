"""Intake: message and run in one commit, and that commit is the acceptance."""

from collections.abc import Sequence
from typing import TypeAlias
from uuid import UUID

from shared.clock import Instant
from shared.domain.errors import (
    InturnError,
    NotFound,
    RateLimited,
    SessionBusy,
    SessionEnded,
    SessionQueueFull,
)
from shared.domain.requests import Accepted, Replayed
from shared.domain.run import RunStatus
from shared.storage.busy import Busy
from shared.storage.intake_rows import Fresh, Intake, Place, insert, receipt, stored
from shared.storage.lines import Line, finish, lock_lines
from shared.storage.memory import Memory
from shared.storage.metered import lock_meters
from shared.storage.meters import Meters
from shared.storage.store import Store, Transaction

__all__ = ["Intake", "Taken", "accept"]

Taken: TypeAlias = Accepted | Replayed

# Who hears one of these may see the session, and so how often it is asked.
_OF_ITS_OWN_SESSION = (RateLimited, SessionBusy, SessionEnded, SessionQueueFull)


async def accept(
    store: Store, transaction: Transaction, intakes: Sequence[Intake]
) -> list[Taken | InturnError]:
    """Append each message to its session's line, in the order given, and promote.

    Per item an error, and nothing is stored of it: NotFound, SessionEnded, SessionBusy,
    SessionQueueFull, RateLimited, IdempotencyKeyReused.
    """
    memory = await Memory.enter(transaction, intakes)
    meters = await lock_meters(transaction, intakes)
    lines = await lock_lines(transaction, [intake.new.session_id for intake in intakes])
    places = await stored(transaction, [intake.run_id for intake in intakes if intake.tried])
    round_ = _Round(transaction, lines, places, meters, await store.now(transaction))
    results: list[Taken | InturnError] = []
    for intake in intakes:
        intake.tried = True
        try:
            taken = memory.recall(intake, round_.now) or await round_.take(intake)
        except InturnError as refusal:
            if isinstance(refusal, _OF_ITS_OWN_SESSION):
                refusal.allowances = meters.left(intake.meters, round_.now)
            results.append(refusal)
        else:
            if intake.idempotency is not None and isinstance(taken, Accepted):
                memory.keep(intake, intake.idempotency.render(taken), round_.now)
            results.append(taken)
    await round_.write()
    await memory.write(transaction)
    return results


class _Round:
    """One batch of intakes: what is refused, what is appended, what is written at the end."""

    def __init__(
        self,
        transaction: Transaction,
        lines: dict[UUID, Line],
        places: dict[UUID, Place],
        meters: Meters,
        now: Instant,
    ) -> None:
        self.now = now
        self._transaction = transaction
        self._lines = lines
        self._places = places
        self._meters = meters
        self._busy = Busy(transaction, now)
        self._fresh: list[Fresh] = []

    async def take(self, intake: Intake) -> Accepted:
        line = self._lines.get(intake.new.session_id)
        if line is not None and (place := self._places.get(intake.run_id)):
            return receipt(intake, line, place)
        line = _open(intake, line)
        self._busy.check(intake, line)
        allowances = self._meters.charge(intake.meters, self.now)
        cleared = await self._busy.make_room(intake, line, self._flush)
        place = _append(intake, line, self.now)
        self._fresh.append(Fresh(intake=intake, line=line, place=place))
        return receipt(intake, line, place, cleared, allowances)

    async def write(self) -> None:
        """Write what is left, and promote."""
        await self._flush()
        await self._meters.save(self._transaction)
        await finish(self._transaction, self._lines.values(), self.now)

    async def _flush(self) -> None:
        await insert(self._transaction, self._fresh)
        self._fresh.clear()


def _open(intake: Intake, line: Line | None) -> Line:
    """Return the line of a session that takes messages from this caller."""
    if line is None or line.deleted_at is not None:
        raise NotFound("session")
    if not intake.principal.sees(line.tenant, line.user_id):
        raise NotFound("session")
    if line.ended_at is not None:
        raise SessionEnded("This session has ended; create a new one.")
    if line.queue_depth >= intake.max_queued:
        detail = f"This session already has {line.queue_depth} queued runs; wait for some to end."
        raise SessionQueueFull(detail, retry_after=5)
    return line


def _append(intake: Intake, line: Line, now: Instant) -> Place:
    busy, busy_with = line.busy, line.active_run_id
    message_seq, created_at = line.add_message(now)
    line.shift(intake.run_id, None, RunStatus.QUEUED)
    return Place(
        message_seq=message_seq,
        created_at=created_at,
        run_seq=line.next_seq(),
        stored_at=now,
        busy_with=busy_with,
        busy=busy,
    )
