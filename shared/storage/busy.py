"""What a message does about a line that is not empty."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

import sqlalchemy as sa

from shared.clock import Instant
from shared.domain.coalescing import options_hash
from shared.domain.errors import SessionBusy, SessionQueueFull
from shared.domain.run import OnBusy, Run, RunStatus
from shared.domain.waiting import Ahead
from shared.storage.cancelling import as_it_is, end_cancelled, never
from shared.storage.intake_rows import NOBODY, Cleared, Intake, Place
from shared.storage.lines import Line
from shared.storage.placing import inputs_of
from shared.storage.receipts import queued_run
from shared.storage.schema import messages, run_inputs, runs, sessions
from shared.storage.store import Transaction
from shared.storage.types import AnyRow, any_of

_CLEARING = {
    OnBusy.INTERRUPT: (as_it_is, "interrupted by a newer message"),
    OnBusy.ROLLBACK: (never, "rolled back by a newer message"),
}
_in_line = sa.and_(runs.c.settled_at.is_(None), runs.c.seq.is_not(None))
_UNFINISHED = (
    sa.select(runs)
    .where(any_of(runs.c.session_id, "ids"), _in_line)
    .order_by(runs.c.id)
    .with_for_update()
)
_CLEARED_BY = sa.select(runs).where(
    runs.c.session_id == sa.bindparam("_session"),
    runs.c.cancel_requested_at == sa.bindparam("_at", type_=sa.BigInteger),
    runs.c.seq < sa.bindparam("_seq", type_=sa.BigInteger),
)
_INTERRUPTED = (
    messages.update()
    .where(
        messages.c.id.in_(
            sa.select(run_inputs.c.message_id).where(any_of(run_inputs.c.run_id, "ids"))
        )
    )
    .values(interrupted=True)
)

_newest = runs.alias("newest")
_LAST_IN_LINE = (
    sa.select(_newest.c.id)
    .where(
        _newest.c.session_id == sessions.c.id,
        _newest.c.settled_at.is_(None),
        _newest.c.seq.is_not(None),
    )
    .order_by(_newest.c.seq.desc())
    .limit(1)
    .scalar_subquery()
)
_OPEN = sa.select(runs).where(
    runs.c.id.in_(sa.select(_LAST_IN_LINE).where(any_of(sessions.c.id, "ids"))),
    runs.c.status == RunStatus.QUEUED,
    runs.c.on_busy == OnBusy.COALESCE,
    runs.c.claimed_at.is_(None),
)


@dataclass(slots=True, frozen=True)
class _Open:
    """A run at its line's tail that others may join."""

    run: Run
    options_hash: bytes


class Busy:
    """Applies `on_busy` under the session's lock, one message after the other."""

    def __init__(self, transaction: Transaction, now: Instant, open_: dict[UUID, _Open]) -> None:
        self._transaction = transaction
        self._now = now
        self._open = open_

    @classmethod
    async def enter(
        cls,
        transaction: Transaction,
        intakes: Sequence[Intake],
        lines: Mapping[UUID, Line],
        now: Instant,
    ) -> "Busy":
        """Read what the messages of a batch need to know of their busy lines."""
        clearing, joining = set(), set()
        for each in intakes:
            line = lines.get(each.new.session_id)
            if line is not None and line.busy and each.new.on_busy in _CLEARING:
                clearing.add(line.id)
            elif line is not None and line.busy and each.new.on_busy is OnBusy.COALESCE:
                joining.add(line.id)
        if len(clearing) > 1:  # runs are locked by ascending id, whosever they are
            await transaction.execute(_UNFINISHED, {"ids": clearing})
        return cls(transaction, now, await _find_open(transaction, lines, joining, now))

    def partner(self, intake: Intake, line: Line) -> Run | None:
        """Return the run that a coalescing message joins, if there is one."""
        last = self._open.get(line.id)
        if last is None or intake.new.on_busy is not OnBusy.COALESCE:
            return None
        same = last.options_hash == options_hash(intake.new, intake.principal.id)
        return last.run if same else None

    def join(self, intake: Intake, line: Line, partner: Run) -> Place:
        """Put a message at the tail, to be answered by a run that is there."""
        seq, created_at = line.add_message(self._now)
        run = replace(partner, message_ids=(*partner.message_ids, intake.message_id))
        self._open[line.id] = replace(self._open[line.id], run=run)
        return Place(seq=seq, created_at=created_at, run=run, joined=True)

    def check(self, intake: Intake, line: Line) -> None:
        """Raise SessionBusy where the caller asked for it, SessionQueueFull where there is no room.

        What the message will cancel takes up no room.
        """
        if intake.new.on_busy is OnBusy.REJECT and line.busy:
            raise SessionBusy("This session is busy, and the message asked for `reject`.")
        clears = intake.new.on_busy in _CLEARING
        depth = line.scheduled_depth if clears else line.queue_depth
        if depth >= intake.max_queued:
            detail = f"This session already has {depth} queued runs; wait for some to end."
            raise SessionQueueFull(detail, retry_after=5)

    async def make_room(
        self, intake: Intake, line: Line, flush: Callable[[], Awaitable[None]]
    ) -> Cleared:
        """Cancel what the message does not want to wait for; `flush` inserts this batch's own."""
        if intake.new.on_busy not in _CLEARING or not line.busy:
            return NOBODY
        await flush()
        rows = (await self._transaction.execute(_UNFINISHED, {"ids": [line.id]})).all()
        stays, reason = _CLEARING[intake.new.on_busy]
        by = intake.principal.user_id
        await end_cancelled(
            self._transaction, line, rows, self._now, reason=reason, by=by, stays=stays
        )
        await self._transaction.execute(_INTERRUPTED, {"ids": [row.id for row in rows]})
        return _cleared(rows)

    def note(self, intake: Intake, line: Line, run: Run) -> None:
        """Remember who is at the tail now."""
        if intake.new.on_busy is OnBusy.COALESCE:
            asked = options_hash(intake.new, intake.principal.id)
            self._open[line.id] = _Open(run, asked)
        elif run.seq is not None:
            self._open.pop(line.id, None)

    async def cleared_earlier(self, intake: Intake, run: Run) -> Cleared:
        """Find what an earlier try has cancelled; its answer was lost."""
        if intake.new.on_busy not in _CLEARING:
            return NOBODY
        asked = {"_session": run.session_id, "_at": run.stored_at, "_seq": run.seq}
        return _cleared((await self._transaction.execute(_CLEARED_BY, asked)).all())


def _cleared(rows: Sequence[AnyRow]) -> Cleared:
    in_order = sorted(rows, key=lambda row: row.seq)
    told = tuple(row.id for row in in_order if row.status == RunStatus.RUNNING)
    return Cleared(cancelled=tuple(row.id for row in in_order), told=told)


async def _find_open(
    transaction: Transaction, lines: Mapping[UUID, Line], ids: Collection[UUID], now: Instant
) -> dict[UUID, _Open]:
    if not ids:
        return {}
    rows = (await transaction.execute(_OPEN, {"ids": ids})).all()
    inputs = await inputs_of(transaction, [row.id for row in rows])
    open_: dict[UUID, _Open] = {}
    for row in rows:
        line, message_ids = lines[row.session_id], [each.id for each in inputs[row.id]]
        ahead = Ahead(runs=line.length - 1)  # it is the last
        open_[line.id] = _Open(queued_run(row, line, message_ids, now, ahead), row.options_hash)
    return open_
