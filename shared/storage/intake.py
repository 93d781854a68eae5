"""Intake: message and run in one commit, and that commit is the acceptance."""

from collections.abc import Sequence
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
from shared.domain.requests import Accepted, Taken
from shared.domain.scheduling import due_at
from shared.storage.busy import Busy
from shared.storage.expiry import renew, save
from shared.storage.intake_rows import NOBODY, Fresh, Intake, Place, insert
from shared.storage.lines import Line, finish, lock_lines
from shared.storage.memory import Memory
from shared.storage.metered import lock_meters
from shared.storage.meters import Meters
from shared.storage.openings import begun, open_sessions
from shared.storage.receipts import append, receipt, stored
from shared.storage.remembering import Remembering
from shared.storage.store import Store, Transaction

__all__ = ["Intake", "Taken", "accept"]

# Who hears one of these may see the session, and so how often it is asked.
_OF_ITS_OWN_SESSION = (RateLimited, SessionBusy, SessionEnded, SessionQueueFull)


async def accept(
    store: Store, transaction: Transaction, intakes: Sequence[Intake]
) -> list[Taken | InturnError]:
    """Append each message to its session's line, in the order given, and promote.

    Per item an error, and nothing is stored of it: NotFound, SessionEnded, SessionBusy,
    SessionExpired, SessionQueueFull, RateLimited, IdempotencyKeyReused, ValidationFailed.
    """
    memory = await Memory.enter(transaction, intakes)
    meters = await lock_meters(transaction, intakes)
    lines = await lock_lines(transaction, [intake.new.session_id for intake in intakes])
    now = await store.now(transaction)
    lines |= begun([each.opening for each in intakes if each.opening], lines, now)
    tried = [intake.message_id for intake in intakes if intake.tried]
    places = await stored(transaction, lines, tried, now)
    busy = await Busy.enter(transaction, intakes, lines, now)
    round_ = _Round(transaction, lines, places, meters, busy, now)
    results: list[Taken | InturnError] = []
    for intake in intakes:
        intake.tried = True
        try:
            first = None if intake.message_id in places else memory.recall(intake, now)
            taken = first or await round_.take(intake)
        except InturnError as refusal:
            if isinstance(refusal, _OF_ITS_OWN_SESSION):
                refusal.allowances = meters.left(intake.meters, now)
            results.append(refusal)
        else:
            if intake.idempotency is not None and isinstance(taken, Accepted):
                memory.keep(intake, intake.idempotency.render(taken), now)
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
        busy: Busy,
        now: Instant,
    ) -> None:
        self.now = now
        self._transaction = transaction
        self._lines = lines
        self._places = places
        self._meters = meters
        self._busy = busy
        self._fresh: list[Fresh] = []
        self._renewed: dict[UUID, Line] = {}
        self._remembering = Remembering(transaction)

    async def take(self, intake: Intake) -> Accepted:
        if intake.refusal:
            raise intake.refusal
        line = self._lines.get(intake.new.session_id)
        if line is not None and (place := self._places.get(intake.message_id)):
            cleared = await self._busy.cleared_earlier(intake, place.run)
            return receipt(intake, place, line, cleared)
        line = _open(intake, line, self.now)
        due = due_at(intake.new, self.now)
        state = await self._remembering.of(intake.new)
        partner = self._busy.partner(intake, line)
        if partner is None:
            self._busy.check(intake, line)
        allowances = self._meters.charge(intake.meters, self.now)
        if partner is not None:
            place, cleared = self._busy.join(intake, line, partner), NOBODY
        else:
            cleared = await self._busy.make_room(intake, line, self._flush)
            place = append(intake, line, due, self.now)
            self._busy.note(intake, line, place.run)
        self._fresh.append(Fresh(intake=intake, line=line, place=place))
        self._remembering.note(intake.new, state)
        if renewed := renew(line, self.now):
            self._renewed[line.id] = line
        return receipt(intake, place, line, cleared, allowances, renewed=renewed)

    async def write(self) -> None:
        """Write what is left, and promote."""
        await self._flush()
        await self._meters.save(self._transaction)
        await self._remembering.save()
        await save(self._transaction, list(self._renewed.values()))
        await finish(self._transaction, self._lines.values(), self.now)

    async def _flush(self) -> None:
        opened = [each.intake.opening for each in self._fresh if each.intake.opening]
        await open_sessions(self._transaction, opened, self.now)
        await insert(self._transaction, self._fresh)
        self._fresh.clear()


def _open(intake: Intake, line: Line | None, now: Instant) -> Line:
    """Return the line of a session that takes messages from this caller."""
    if line is None or line.deleted_at is not None:
        raise NotFound("session")
    if not intake.principal.sees(line.tenant, line.user_id):
        raise NotFound("session")
    if line.ended_at is not None:
        raise SessionEnded("This session has ended; create a new one.")
    if intake.new.in_time:
        intake.visibility.check(line.id, line.lifetime, now)
    return line
