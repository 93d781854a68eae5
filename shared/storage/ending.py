"""The end of sessions: they take no more messages, and what they held goes on being read."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.clock import Instant
from shared.domain.living import Visibility
from shared.domain.principal import Principal
from shared.domain.run import RunStatus
from shared.ids import RunId, SessionId
from shared.storage.cancelling import end_cancelled
from shared.storage.lines import Line, finish, lock_lines
from shared.storage.renewals import lock_unended
from shared.storage.schema import runs, sessions
from shared.storage.store import Store, Transaction
from shared.storage.types import any_of

_UNFINISHED = (
    sa.select(runs)
    .where(any_of(runs.c.session_id, "ids"), runs.c.settled_at.is_(None))
    .order_by(runs.c.id)
    .with_for_update()
)
_END = (
    sessions.update()
    .where(any_of(sessions.c.id, "ids"))
    .values(ended_at=sa.bindparam("_now", type_=sa.BigInteger), warn_at=None)
)
_CLEARABLE = (
    sa.select(sessions.c.id)
    .where(
        sa.text("origin = 'elizaos' AND ended_at IS NULL AND deleted_at IS NULL"),  # its index's
        sessions.c.id > sa.bindparam("_after", type_=sa.Uuid),
    )
    .order_by(sessions.c.id)
    .limit(sa.bindparam("_most"))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """Sessions that ended just now, and runs of theirs whose worker has to be told."""

    sessions: tuple[SessionId, ...] = ()
    told: tuple[RunId, ...] = ()


async def end(
    store: Store,
    transaction: Transaction,
    principal: Principal,
    session_id: SessionId,
    visibility: Visibility,
    *,
    reason: str,
) -> Ended:
    """End a session and cancel what is unfinished in it. Raises NotFound."""
    line = await lock_unended(transaction, principal, session_id)
    now = await store.now(transaction)
    visibility.check_seen(line.lifetime, now)
    return await _end(transaction, [line], now, reason=reason, by=principal.user_id)


async def clearable(reading: AsyncConnection, after: SessionId, most: int) -> list[SessionId]:
    """Find sessions of the contract that forgets them, which nobody ended, in order of ids."""
    found = await reading.execute(_CLEARABLE, {"_after": after, "_most": most})
    return [SessionId(each) for each in found.scalars()]


async def end_all(
    store: Store, transaction: Transaction, ids: Sequence[SessionId], *, reason: str
) -> Ended:
    """End those of these sessions that have not ended, whosever they are."""
    lines = await lock_lines(transaction, ids)
    now = await store.now(transaction)
    left = [each for each in lines.values() if each.ended_at is None and each.deleted_at is None]
    return await _end(transaction, left, now, reason=reason, by=None)


async def _end(
    transaction: Transaction, lines: Sequence[Line], now: Instant, *, reason: str, by: str | None
) -> Ended:
    ids: list[UUID] = [line.id for line in lines]
    if not ids:
        return Ended()
    rows = (await transaction.execute(_UNFINISHED, {"ids": ids})).all()
    for line in lines:
        own = [row for row in rows if row.session_id == line.id]
        if own:
            await end_cancelled(transaction, line, own, now, reason=reason, by=by)
        line.moved = True
    await finish(transaction, lines, now)
    await transaction.execute(_END, {"ids": ids, "_now": now})
    told = [row.id for row in rows if row.status == RunStatus.RUNNING]
    return Ended(sessions=tuple(line.id for line in lines), told=tuple(told))
