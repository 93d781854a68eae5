"""A session's line: lock it, move it, and make its head ready.

Every verb that changes a line locks its sessions here first, reads in a later statement,
writes through `Line`, and ends with `finish`.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, fields
from uuid import UUID

import sqlalchemy as sa

from shared.clock import MILLISECOND, Instant
from shared.domain.jsontypes import JsonObject
from shared.domain.lifetime import Lifetime
from shared.domain.run import LIVE, Dispatch, RunStatus
from shared.ids import AgentId, RunId, SessionId
from shared.storage.each import Each
from shared.storage.lifetimes import to_lifetime
from shared.storage.schema import agents, runs, sessions
from shared.storage.store import Transaction
from shared.storage.types import AnyRow, any_of


@dataclass(slots=True, kw_only=True)
class Line:
    """A locked session; the fields the line moves are written back by `finish`."""

    id: SessionId
    tenant: str
    user_id: str | None
    agent_id: AgentId
    agent: str
    pool: str
    max_attempts: int
    ended_at: Instant | None
    deleted_at: Instant | None
    version: int
    last_seq: int
    last_message_at: Instant
    queue_depth: int
    scheduled_depth: int
    message_count: int
    spoken_count: int
    active_run_id: RunId | None
    active_run_status: str | None
    last_run_id: RunId | None
    last_run_status: str | None
    last_run_error: JsonObject | None
    last_activity_at: Instant
    lifetime: Lifetime | None = None
    moved: bool = False
    said: bool = False

    @property
    def length(self) -> int:
        """How many runs are in it; what is scheduled is not."""
        live = self.active_run_id is not None
        return self.queue_depth - self.scheduled_depth + live

    @property
    def busy(self) -> bool:
        """The line is not empty."""
        return self.length > 0

    def next_seq(self) -> int:
        """Give out the next place in the session's order."""
        self.last_seq += 1
        return self.last_seq

    def add_message(self, now: Instant, *, spoken: bool = True) -> tuple[int, Instant]:
        """Give a message its place and its instant, later than the one before.

        What is of another transaction is of another millisecond: whoever reads on after a
        millisecond has seen all of it. What a user or an agent says is `spoken`, not what a
        tool says.
        """
        last = self.last_message_at
        soonest = last + 1 if self.said else last - last % MILLISECOND + MILLISECOND
        self.last_message_at, self.said = Instant(max(now, soonest)), True
        self.message_count += 1
        self.spoken_count += spoken
        self.last_activity_at = now
        self.moved = True
        return self.next_seq(), self.last_message_at

    def schedule(self, run_id: RunId, now: Instant) -> None:
        """Account for a new run that is not due: it holds nobody up."""
        self.shift(run_id, None, RunStatus.QUEUED)
        self.scheduled_depth += 1
        self.last_activity_at = now

    def arrive(self) -> int:
        """Give a scheduled run its place: it is due, or has ended without having been."""
        self.moved = True
        self.scheduled_depth -= 1
        return self.next_seq()

    def shift(
        self,
        run_id: RunId,
        before: RunStatus | None,
        after: RunStatus,
        error: JsonObject | None = None,
    ) -> None:
        """Account for a run of this line that goes from one status to another."""
        self.moved = True
        self.queue_depth += (after is RunStatus.QUEUED) - (before is RunStatus.QUEUED)
        if after in LIVE:
            self.active_run_id, self.active_run_status = run_id, after
        elif before in LIVE:
            self.active_run_id = self.active_run_status = None
        if after is not RunStatus.QUEUED and after not in LIVE:
            self.last_run_id, self.last_run_status = run_id, after
            self.last_run_error = error


_MOVED = (
    "last_seq", "last_message_at", "queue_depth", "scheduled_depth", "message_count",
    "spoken_count", "active_run_id", "active_run_status", "last_run_id", "last_run_status",
    "last_run_error", "last_activity_at",
)  # fmt: skip
_AGENT = {"agent": agents.c.name, "pool": agents.c.pool, "max_attempts": agents.c.max_attempts}

_BESIDE = {"lifetime", "moved", "said"}
_FIELDS = tuple(field.name for field in fields(Line) if field.name not in _BESIDE)
_LIFETIME = (
    "timeout_minutes", "auto_renew", "max_duration_minutes", "warning_threshold_minutes",
    "created_at", "expires_at", "renewal_count", "warned_at", "expired_at",
)  # fmt: skip

_LOCK = (
    sa.select(
        *(_AGENT[name].label(name) if name in _AGENT else sessions.c[name] for name in _FIELDS),
        *(sessions.c[name] for name in _LIFETIME),
    )
    .join_from(sessions, agents, agents.c.id == sessions.c.agent_id)
    .where(any_of(sessions.c.id, "ids"))
    .order_by(sessions.c.id)
    .with_for_update(key_share=True, of=sessions)
)

_SAVE = Each(
    {"_id": sessions.c.id, "_now": sessions.c.updated_at}
    | {name: sessions.c[name] for name in _MOVED},
    lambda value: (
        sessions.update()
        .where(sessions.c.id == value("_id"))
        .values(
            {name: value(name) for name in _MOVED}
            | {"version": sessions.c.version + 1, "updated_at": value("_now")}
        )
    ),
)

_unfinished = runs.alias("unfinished")
# Session by session the first of its line, so that the cost does not grow with the line.
_HEADS = sa.select(
    sa.select(_unfinished.c.id)
    .where(
        _unfinished.c.session_id == sessions.c.id,
        _unfinished.c.settled_at.is_(None),
        _unfinished.c.seq.is_not(None),
    )
    .order_by(_unfinished.c.seq)
    .limit(1)
    .scalar_subquery()
).where(any_of(sessions.c.id, "ids"))
_PROMOTE = (
    runs.update()
    .where(runs.c.id.in_(_HEADS), runs.c.dispatch == sa.literal_column(f"'{Dispatch.BLOCKED}'"))
    .values(
        dispatch=sa.case(
            (
                runs.c.available_at > sa.bindparam("_now", type_=sa.BigInteger),
                sa.literal_column(f"'{Dispatch.SCHEDULED}'"),
            ),
            else_=sa.literal_column(f"'{Dispatch.READY}'"),
        ),
        ready_at=sa.bindparam("_now", type_=sa.BigInteger),
        announce_hold_until=None,
    )
    .returning(runs.c.pool)
)


async def lock_lines(transaction: Transaction, ids: Iterable[UUID]) -> dict[UUID, Line]:
    """Lock sessions in ascending id, until the transaction ends; unknown ids are left out.

    The lock is re-read at its latest version, so these columns may be trusted; everything
    else is read in a later statement, whose snapshot is younger than the lock.
    """
    rows = (await transaction.execute(_LOCK, {"ids": sorted(set(ids))})).all()
    return {row.id: _line(row) for row in rows}


def _line(row: AnyRow) -> Line:
    # The fields come first, and a lifetime's columns are null for most.
    return Line(**dict(zip(_FIELDS, row, strict=False)), lifetime=to_lifetime(row))


async def finish(transaction: Transaction, lines: Iterable[Line], now: Instant) -> set[str]:
    """Write back what moved and promote; return the pools in which a run became ready."""
    moved = [line for line in lines if line.moved]
    if not moved:
        return set()
    await _SAVE.execute(
        transaction,
        [
            {"_id": line.id, "_now": now} | {name: getattr(line, name) for name in _MOVED}
            for line in moved
        ],
    )
    return await promote(transaction, [line.id for line in moved], now)


async def promote(transaction: Transaction, ids: Collection[UUID], now: Instant) -> set[str]:
    """Make the head of each line ready, or scheduled if it is not due.

    The sessions must be locked by this transaction.
    """
    if not ids:
        return set()
    rows = await transaction.execute(_PROMOTE, {"ids": ids, "_now": now})
    return set(rows.scalars())
