"""Schedules as rows: a message to repeat, and when it is due next."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.clock import Instant
from shared.domain.errors import NotFound, SessionEnded
from shared.domain.jsontypes import JsonObject
from shared.domain.paging import Listing, Page
from shared.domain.principal import Principal, Scope
from shared.domain.requests import NewMessage
from shared.domain.run import OnBusy
from shared.domain.schedule import Missed, NewSchedule, Refusal, Schedule
from shared.ids import ScheduleId, SessionId
from shared.storage.keyset import paged
from shared.storage.schema import schedules, sessions
from shared.storage.sessions import visible
from shared.storage.store import Transaction
from shared.storage.types import AnyRow, any_of

_DUE_A_ROUND = 500

_now = sa.bindparam("_now", type_=sa.BigInteger)
_SELECT = (
    sa.select(
        schedules, sessions.c.tenant.label("owner_tenant"), sessions.c.user_id.label("owner_id")
    )
    .join_from(schedules, sessions, sessions.c.id == schedules.c.session_id)
    .where(sessions.c.deleted_at.is_(None))
)
_ONE = _SELECT.where(schedules.c.id == sa.bindparam("_id"))
_LOCK_ONE = _ONE.with_for_update(of=schedules)
_OWNER = sa.select(sessions.c.tenant, sessions.c.user_id, sessions.c.ended_at).where(
    sessions.c.id == sa.bindparam("_id"), sessions.c.deleted_at.is_(None)
)
_DUE = (
    sa.select(schedules.c.id)
    .where(schedules.c.next_at <= _now)
    .order_by(schedules.c.next_at)
    .limit(_DUE_A_ROUND)
)
_TAKE = (
    sa.select(schedules)
    .where(any_of(schedules.c.id, "ids"), schedules.c.next_at <= _now)
    .order_by(schedules.c.id)
    .with_for_update(skip_locked=True)
)
_TAKE_IDS = _TAKE.with_only_columns(schedules.c.id)
_OF_SESSIONS = schedules.delete().where(
    schedules.c.id.in_(
        sa.select(schedules.c.id)
        .where(any_of(schedules.c.session_id, "ids"))
        .with_for_update(skip_locked=True)
    )
)


async def check_session(
    reading: AsyncConnection, principal: Principal, session_id: SessionId
) -> None:
    """See that a session takes messages from this caller. Raises NotFound, SessionEnded."""
    row = (await reading.execute(_OWNER, {"_id": session_id})).one_or_none()
    if row is None or not principal.sees(row.tenant, row.user_id):
        raise NotFound("session")
    if row.ended_at is not None:
        raise SessionEnded("This session has ended; create a new one.")


async def insert(
    transaction: Transaction,
    schedule_id: ScheduleId,
    principal: Principal,
    new: NewSchedule,
    *,
    next_at: Instant,
    now: Instant,
) -> Schedule:
    """Write a new schedule."""
    values = {
        "id": schedule_id,
        "session_id": new.message.session_id,
        "tenant": principal.tenant,
        "user_id": principal.user_id,
        "scope": principal.scope,
        "message": _from_message(new.message),
        "correlation_id": new.message.correlation_id,
        "cron": new.cron,
        "time_zone": new.time_zone,
        "missed": new.missed,
        "next_at": next_at,
        "created_at": now,
        "updated_at": now,
    }
    row = await transaction.execute(schedules.insert().values(values).returning(schedules))
    return _to_schedule(row.one())


async def fetch(
    reading: AsyncConnection, principal: Principal, schedule_id: ScheduleId
) -> Schedule | None:
    """Read a schedule, if its session exists for this caller."""
    return _seen(principal, (await reading.execute(_ONE, {"_id": schedule_id})).one_or_none())


async def lock(
    transaction: Transaction, principal: Principal, schedule_id: ScheduleId
) -> Schedule | None:
    """Read like `fetch`; nobody sends its message until the transaction ends."""
    row = await transaction.execute(_LOCK_ONE, {"_id": schedule_id})
    return _seen(principal, row.one_or_none())


async def page(
    reading: AsyncConnection, principal: Principal, session_id: SessionId | None, slice_: Page
) -> Listing[Schedule]:
    """List the schedules of the sessions that exist for this caller, by creation."""
    query = _SELECT.where(*visible(principal))
    if session_id is not None:
        query = query.where(schedules.c.session_id == session_id)
    query = paged(query, slice_, schedules.c.created_at, schedules.c.id)
    rows = (await reading.execute(query)).all()
    return slice_.cut(list(map(_to_schedule, rows)), lambda s: (s.created_at, s.id.hex))


async def due_ids(reading: AsyncConnection, now: Instant) -> list[ScheduleId]:
    """List schedules whose time has come, the longest due first."""
    return list((await reading.execute(_DUE, {"_now": now})).scalars())


async def take_due(transaction: Transaction, ids: Collection[UUID], now: Instant) -> list[Schedule]:
    """Lock those that are still due and that nobody else is sending."""
    rows = await transaction.execute(_TAKE, {"ids": ids, "_now": now})
    return list(map(_to_schedule, rows))


async def take_ids(
    transaction: Transaction, ids: Collection[UUID], now: Instant
) -> list[ScheduleId]:
    """Lock like `take_due`, and read nothing that could be wrong with one."""
    return list((await transaction.execute(_TAKE_IDS, {"ids": ids, "_now": now})).scalars())


async def change(
    transaction: Transaction, schedule_id: ScheduleId, now: Instant, **values: object
) -> None:
    """Change columns of a schedule that is locked."""
    changed = schedules.update().where(schedules.c.id == schedule_id)
    await transaction.execute(changed.values(values | {"updated_at": now}))


async def remove(transaction: Transaction, schedule_id: ScheduleId) -> None:
    """Remove a schedule; what it sent stays."""
    await transaction.execute(schedules.delete().where(schedules.c.id == schedule_id))


async def remove_of_sessions(transaction: Transaction, session_ids: Sequence[UUID]) -> None:
    """Remove the schedules of sessions that are gone.

    Whoever sends locks the schedule first and the session then, here it is the other way round:
    what is being sent is left to its sender, who finds no session and removes it.
    """
    await transaction.execute(_OF_SESSIONS, {"ids": session_ids})


def from_refusal(refusal: Refusal) -> str:
    """Write an error to its column."""
    return f"{refusal.code}: {refusal.message}"


def _seen(principal: Principal, row: AnyRow | None) -> Schedule | None:
    if row is None or not principal.sees(row.owner_tenant, row.owner_id):
        return None
    return _to_schedule(row)


def _to_schedule(row: AnyRow) -> Schedule:
    principal = Principal(tenant=row.tenant, user_id=row.user_id, scope=Scope(row.scope))
    code, _, said = (row.last_error or "").partition(": ")
    return Schedule(
        id=row.id,
        principal=principal,
        message=_to_message(row),
        cron=row.cron,
        time_zone=row.time_zone,
        missed=Missed(row.missed),
        next_at=row.next_at,
        paused_at=row.paused_at,
        last_fired_at=row.last_fired_at,
        last_run_id=row.last_run_id,
        last_error=Refusal(code=code, message=said) if code else None,
        created_at=row.created_at,
    )


def _from_message(new: NewMessage) -> JsonObject:
    return {
        "content": new.content,  # type: ignore[dict-item]  # a list is invariant
        "metadata": new.metadata,
        "inputs": new.inputs,
        "priority": new.priority,
        "on_busy": new.on_busy,
        "options": new.options,
        "callback_url": new.callback_url,
    }


def _to_message(row: AnyRow) -> NewMessage:
    stored: Mapping[str, Any] = row.message
    return NewMessage(
        session_id=row.session_id,
        correlation_id=row.correlation_id,
        author_id=row.user_id,
        **{**stored, "on_busy": OnBusy(stored["on_busy"])},
    )
