"""Events as they are read: of one run, or of all runs of a session that ever started.

One run of a session is live at a time, so `(seq, number)` is the order in which events were
committed: what is read up to a place is whole.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.domain.errors import NotFound
from shared.domain.event import (
    BEGINNING,
    ENDING,
    Event,
    EventType,
    NewEvent,
    OfRun,
    Position,
    Source,
    settled,
)
from shared.domain.principal import Principal
from shared.domain.run import RunStatus
from shared.ids import SessionId
from shared.storage import messages
from shared.storage.rows import to_error
from shared.storage.schema import run_details, run_events, runs, sessions
from shared.storage.types import AnyRow

_RUNS_AT_ONCE = 50

_seq = sa.bindparam("_seq", type_=sa.BigInteger)
_number = sa.bindparam("_number", type_=sa.Integer)
_live = runs.alias("live")
_COLUMNS = (
    sessions.c.id.label("session"),
    sessions.c.version,
    _live.c.event_count.label("live_count"),
    sessions.c.tenant,
    sessions.c.user_id,
    runs.c.id,
    runs.c.seq,
    runs.c.status,
    runs.c.event_count,
    runs.c.correlation_id,
    runs.c.settled_at,
)
_OF_RUN = (
    sa.select(*_COLUMNS, run_details.c.error)
    .join_from(runs, sessions, sessions.c.id == runs.c.session_id)
    .outerjoin(run_details, run_details.c.run_id == runs.c.id)
    .outerjoin(_live, _live.c.id == sessions.c.active_run_id)
    .where(runs.c.id == sa.bindparam("_id"), sessions.c.deleted_at.is_(None))
)


def _of_session(beyond: sa.ColumnElement[bool], order: sa.ColumnElement[Any]) -> sa.Select[Any]:
    mine = sa.and_(runs.c.session_id == sessions.c.id, runs.c.event_count > 0, beyond)
    return (
        sa.select(*_COLUMNS, sa.null().label("error"))
        .outerjoin_from(sessions, runs, mine)
        .outerjoin(_live, _live.c.id == sessions.c.active_run_id)
        .where(sessions.c.id == sa.bindparam("_id"), sessions.c.deleted_at.is_(None))
        .order_by(order)
        .limit(_RUNS_AT_ONCE)
    )


def _of_number(beyond: sa.ColumnElement[bool], order: sa.ColumnElement[Any]) -> sa.Select[Any]:
    return (
        sa.select(run_events)
        .where(run_events.c.run_id == sa.bindparam("_run"), beyond)
        .order_by(order)
        .limit(sa.bindparam("_limit", type_=sa.Integer))
    )


_OF_SESSION = _of_session(runs.c.seq >= _seq, runs.c.seq.asc())
_OF_SESSION_BACK = _of_session(runs.c.seq <= _seq, runs.c.seq.desc())
_EVENTS = _of_number(run_events.c.number > _number, run_events.c.number.asc())
_EVENTS_BACK = _of_number(run_events.c.number < _number, run_events.c.number.desc())
_AT = sa.select(runs.c.event_count, runs.c.settled_at).where(
    runs.c.session_id == sa.bindparam("_id"), runs.c.seq == _seq
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What comes after a place: `more` is there already, and after `over` there never will be.

    `seen` are the session's version and the number of its live run's events, for signals.
    """

    session_id: SessionId
    seen: tuple[int, int]
    events: tuple[Event, ...]
    position: Position
    more: bool
    over: bool


async def locate(
    reading: AsyncConnection, principal: Principal, source: Source, at: Position
) -> Part | None:
    """Find the place behind an event, or before a first; null if there is none such.

    Raises NotFound.
    """
    [first, *_] = await _runs(reading, principal, source, at)
    over = isinstance(source, OfRun) and _is_over(first, (), at)
    part = Part(
        session_id=first.session, seen=_seen(first), events=(), position=at, more=False, over=over
    )
    if at == BEGINNING:
        return part
    if isinstance(source, OfRun):
        return part if first.seq == at.seq and at.number <= _count(first) else None
    row = (await reading.execute(_AT, {"_id": source.id, "_seq": at.seq})).one_or_none()
    return part if row is not None and at.number <= _count(row) else None


async def read(
    reading: AsyncConnection, principal: Principal, source: Source, after: Position, limit: int
) -> Part:
    """Read at most `limit` events. Raises NotFound."""
    found = await _runs(reading, principal, source, after)
    events: list[Event] = []
    for run in found:
        known = after.number if run.seq == after.seq else 0
        if run.id is not None and run.event_count > known and len(events) < limit:
            events += await _events(reading, _EVENTS, run, known, limit - len(events))
    if isinstance(source, OfRun):
        events = events or _unsaid(found[0], after)
    position = events[-1].position if events else after
    return Part(
        session_id=found[0].session,
        seen=_seen(found[0]),
        events=await _with_messages(reading, events),
        position=position,
        more=len(events) == limit or len(found) == _RUNS_AT_ONCE,
        over=isinstance(source, OfRun) and _is_over(found[0], events, position),
    )


async def read_back(
    reading: AsyncConnection, principal: Principal, source: Source, before: Position, limit: int
) -> tuple[tuple[Event, ...], bool]:
    """Read at most `limit` events, the latest first; tell if there may be more. Raises NotFound."""
    found = await _runs(reading, principal, source, before, _OF_SESSION_BACK)
    events: list[Event] = []
    for run in found:
        number = before.number if run.seq == before.seq else ENDING.number
        if run.id is not None and len(events) < limit:
            events += await _events(reading, _EVENTS_BACK, run, number, limit - len(events))
    if isinstance(source, OfRun) and not events and before == ENDING:
        events = _unsaid(found[0], BEGINNING)
    more = len(events) == limit or len(found) == _RUNS_AT_ONCE
    return await _with_messages(reading, events), more


async def _runs(
    reading: AsyncConnection,
    principal: Principal,
    source: Source,
    at: Position,
    of_session: sa.Select[Any] = _OF_SESSION,
) -> Sequence[AnyRow]:
    query = _OF_RUN if isinstance(source, OfRun) else of_session
    asked: dict[str, Any] = {"_id": source.id}
    rows = (await reading.execute(query, asked | {"_seq": at.seq})).all()
    if not rows or not principal.sees(rows[0].tenant, rows[0].user_id):
        raise NotFound("run" if isinstance(source, OfRun) else "session")
    return rows


async def _events(
    reading: AsyncConnection, query: sa.Select[Any], run: AnyRow, number: int, limit: int
) -> list[Event]:
    rows = await reading.execute(query, {"_run": run.id, "_number": number, "_limit": limit})
    return [_to_event(run, row.number, row) for row in rows]


def _to_event(run: AnyRow, number: int, event: AnyRow | NewEvent) -> Event:
    return Event(
        position=Position(run.seq or 0, number),
        type=EventType(event.type),
        run_id=run.id,
        session_id=run.session,
        correlation_id=run.correlation_id,
        at=event.at,
        data=event.data,
    )


def _unsaid(run: AnyRow, after: Position) -> list[Event]:
    """Say how a run ended that never started: nobody wrote it down."""
    if run.settled_at is None or run.event_count or after.number:
        return []
    last = settled(RunStatus(run.status), to_error(run.error), run.settled_at)
    return [_to_event(run, 1, last)]


def _is_over(run: AnyRow, events: Sequence[Event], position: Position) -> bool:
    if events:
        return events[-1].type is EventType.RUN_SETTLED
    return run.settled_at is not None and position.number >= _count(run)


def _seen(row: AnyRow) -> tuple[int, int]:
    return row.version, row.live_count or 0


def _count(run: AnyRow) -> int:
    """Count a run's events, with the one that nobody wrote."""
    return int(run.event_count) or int(run.settled_at is not None)


async def _with_messages(reading: AsyncConnection, events: Sequence[Event]) -> tuple[Event, ...]:
    """Put in the messages that are complete: an event names its own by id alone."""
    ids = {id_ for event in events if (id_ := _message_id(event))}
    if not ids:
        return tuple(events)
    found = await messages.by_ids(reading, ids)
    return tuple(
        replace(event, message=found.get(id_)) if (id_ := _message_id(event)) else event
        for event in events
    )


def _message_id(event: Event) -> UUID | None:
    if event.type is not EventType.MESSAGE_COMPLETED:
        return None
    return UUID(str(event.data["message_id"]))
