"""A session as those who follow it see it: what its rows say beyond a place.

One statement says how far everything is; messages and events are read up to there and no
further. Both only grow, so what is told belongs to one moment.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.domain.event import BEGINNING, Event, EventType, Position
from shared.domain.message import Message, Role
from shared.domain.run import RunStatus
from shared.domain.sighting import Look, Marks, Place
from shared.ids import SessionId
from shared.storage.rows import to_error, to_message
from shared.storage.schema import messages, run_details, run_events, runs, sessions
from shared.storage.types import AnyRow

_MOST_EVENTS = _MOST_MESSAGES = 100

_HEARD = (
    EventType.ATTEMPT_STARTED,
    EventType.MESSAGE_DELTA,
    EventType.ATTEMPT_FAILED,
    EventType.MESSAGE_COMPLETED,
    EventType.RUN_SETTLED,
)

_id = sa.bindparam("_id", type_=sa.Uuid)
_seq = sa.bindparam("_seq", type_=sa.BigInteger)
_last = sa.bindparam("_last", type_=sa.BigInteger)
_live = runs.alias("live")
_failed_unheard = sa.and_(runs.c.event_count == 0, runs.c.status == RunStatus.FAILED)


def _looking(beyond: sa.ColumnElement[bool]) -> sa.Select[Any]:
    mine = sa.and_(runs.c.session_id == sessions.c.id, beyond)
    return (
        sa.select(
            sessions.c.version,
            sessions.c.last_seq,
            sessions.c.expires_at,
            sessions.c.renewal_count,
            sessions.c.warned_at,
            sessions.c.expired_at,
            sessions.c.ended_at,
            _live.c.event_count.label("live_count"),
            runs.c.id,
            runs.c.seq,
            runs.c.event_count,
            runs.c.correlation_id,
            run_details.c.error,
        )
        .outerjoin_from(sessions, runs, mine)
        .outerjoin(run_details, sa.and_(run_details.c.run_id == runs.c.id, _failed_unheard))
        .outerjoin(_live, _live.c.id == sessions.c.active_run_id)
        .where(sessions.c.id == _id, sessions.c.deleted_at.is_(None))
    )


# No more than a line holds: whoever follows is not far behind.
_FROM = _looking(
    sa.and_(runs.c.seq >= _seq, sa.or_(runs.c.event_count > 0, _failed_unheard))
).order_by(runs.c.seq)
# The run that started last; those that failed beyond it were told to nobody who is here now.
_HERE = _looking(runs.c.event_count > 0).order_by(runs.c.seq.desc()).limit(1)
_EVENTS = (
    sa.select(run_events)
    .where(
        run_events.c.run_id == _id,
        run_events.c.number > _seq,
        run_events.c.number <= _last,
        run_events.c.type.in_([each.value for each in _HEARD]),
    )
    .order_by(run_events.c.number)
    .limit(sa.bindparam("_limit", type_=sa.Integer))
)
_MESSAGES = (
    sa.select(messages)
    .where(
        messages.c.session_id == _id,
        messages.c.seq > _seq,
        messages.c.seq <= _last,
        messages.c.role.in_([Role.USER.value, Role.ASSISTANT.value]),
    )
    .order_by(messages.c.seq)
    .limit(_MOST_MESSAGES)
)


async def here(reading: AsyncConnection, session_id: SessionId) -> Look | None:
    """Look where a session is now, and at nothing before; null if it is deleted."""
    row = (await reading.execute(_HERE, {"_id": session_id})).one_or_none()
    if row is None:
        return None
    position = BEGINNING if row.id is None else Position(row.seq, row.event_count)
    found = (await reading.execute(_FROM, {"_id": session_id, "_seq": position.seq})).all()
    unsaid = frozenset(each.id for each in found if each.id and not each.event_count)
    place = Place(seq=row.last_seq, position=position, unsaid=unsaid)
    return Look(seen=_seen(row), marks=_marks(row), place=place)


async def look(reading: AsyncConnection, session_id: SessionId, since: Place) -> Look | None:
    """Look at what there is beyond a place; null if the session is deleted."""
    asked = {"_id": session_id, "_seq": since.position.seq}
    found = (await reading.execute(_FROM, asked)).all()
    if not found:
        return None
    beyond = [row for row in found if row.id]
    events, position, more = await _events(reading, session_id, beyond, since.position)
    unheard = [row for row in beyond if not row.event_count]
    said: list[Message] = []
    seq = since.seq
    # A message is told after what was said while it was made: not before that is read.
    if not more and found[0].last_seq > since.seq:
        said, seq, more = await _messages(reading, session_id, since.seq, found[0].last_seq)
    return Look(
        seen=_seen(found[0]),
        marks=_marks(found[0]),
        place=Place(seq=seq, position=position, unsaid=frozenset(row.id for row in unheard)),
        messages=tuple(said),
        events=tuple(events),
        failures=tuple(
            (row.id, error.message)
            for row in unheard
            if row.id not in since.unsaid and (error := to_error(row.error))
        ),
        more=more,
    )


async def _events(
    reading: AsyncConnection, session_id: SessionId, beyond: Sequence[AnyRow], since: Position
) -> tuple[list[Event], Position, bool]:
    """Read what runs have said, and where that ends; tell if it ends early."""
    events: list[Event] = []
    position = since
    for run in beyond:
        known = since.number if run.seq == since.seq else 0
        if run.event_count > known:
            asked = {"_id": run.id, "_seq": known, "_last": run.event_count}
            left = _MOST_EVENTS - len(events)
            rows = (await reading.execute(_EVENTS, asked | {"_limit": left})).all()
            events += [_to_event(session_id, run, row) for row in rows]
            if len(rows) == left:
                return events, events[-1].position, True
            position = Position(run.seq, run.event_count)
    return events, position, False


async def _messages(
    reading: AsyncConnection, session_id: SessionId, seq: int, last: int
) -> tuple[list[Message], int, bool]:
    asked = {"_id": session_id, "_seq": seq, "_last": last}
    rows = (await reading.execute(_MESSAGES, asked)).all()
    more = len(rows) == _MOST_MESSAGES
    return list(map(to_message, rows)), rows[-1].seq if more else last, more


def _to_event(session_id: SessionId, run: AnyRow, row: AnyRow) -> Event:
    return Event(
        position=Position(run.seq, row.number),
        type=EventType(row.type),
        run_id=run.id,
        session_id=session_id,
        correlation_id=run.correlation_id,
        at=row.at,
        data=row.data,
    )


def _seen(row: AnyRow) -> tuple[int, int]:
    return row.version, row.live_count or 0


def _marks(row: AnyRow) -> Marks:
    return Marks(
        expires_at=row.expires_at,
        renewal_count=row.renewal_count,
        warned_at=row.warned_at,
        expired_at=row.expired_at,
        ended=row.ended_at is not None,
    )
