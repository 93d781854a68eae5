"""Schedules: messages that come again and again."""

from shared.clock import Instant
from shared.domain.errors import NotFound, ValidationFailed
from shared.domain.idempotency import Idempotency
from shared.domain.paging import Listing, Page
from shared.domain.principal import Principal
from shared.domain.requests import Replayed
from shared.domain.schedule import Missed, NewSchedule, Schedule
from shared.ids import ScheduleId, SessionId, new_id
from shared.service.cron import Cron, find_zone
from shared.service.once import once
from shared.storage import schedules as rows
from shared.storage.store import Store, Transaction


class Schedules:
    """What recurs."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def create_once(
        self, principal: Principal, new: NewSchedule, idempotency: Idempotency[Schedule] | None
    ) -> Schedule | Replayed:
        """Repeat a message from now on, or return what the same key was answered first.

        Raises NotFound("session"), SessionEnded, ValidationFailed for what is never due.
        """
        cron = _read(new)

        async def create(transaction: Transaction) -> Schedule:
            await rows.check_session(transaction, principal, new.message.session_id)
            now = await self._store.now(transaction)
            next_at = cron.next_after(now)
            if next_at is None:
                raise ValidationFailed.of(("body", "cron"), "never comes")
            schedule_id = ScheduleId(new_id())
            return await rows.insert(
                transaction, schedule_id, principal, new, next_at=next_at, now=now
            )

        return await once(self._store, principal, idempotency, create)

    async def get(self, principal: Principal, schedule_id: ScheduleId) -> Schedule:
        """Read one. Raises NotFound("schedule")."""
        async with self._store.reading() as reading:
            return _found(await rows.fetch(reading, principal, schedule_id))

    async def list(
        self, principal: Principal, session_id: SessionId | None, page: Page
    ) -> Listing[Schedule]:
        """List those of the sessions that the caller sees, or of one of them."""
        async with self._store.reading() as reading:
            return await rows.page(reading, principal, session_id, page)

    async def pause(self, principal: Principal, schedule_id: ScheduleId) -> Schedule:
        """Send nothing until it is resumed. Raises NotFound."""
        async with self._store.transaction() as transaction:
            schedule = _found(await rows.lock(transaction, principal, schedule_id))
            if schedule.paused_at is None:
                now = await self._store.now(transaction)
                await rows.change(transaction, schedule_id, now, next_at=None, paused_at=now)
            return _found(await rows.fetch(transaction, principal, schedule_id))

    async def resume(self, principal: Principal, schedule_id: ScheduleId) -> Schedule:
        """Go on; `missed` says what becomes of the times in between. Raises NotFound."""
        async with self._store.transaction() as transaction:
            schedule = _found(await rows.lock(transaction, principal, schedule_id))
            if schedule.paused_at is not None:
                now = await self._store.now(transaction)
                next_at = _next_at(schedule, now)
                await rows.change(transaction, schedule_id, now, next_at=next_at, paused_at=None)
            return _found(await rows.fetch(transaction, principal, schedule_id))

    async def delete(self, principal: Principal, schedule_id: ScheduleId) -> None:
        """End it; what it sent stays. Raises NotFound."""
        async with self._store.transaction() as transaction:
            _found(await rows.lock(transaction, principal, schedule_id))
            await rows.remove(transaction, schedule_id)


def _read(new: NewSchedule) -> Cron:
    try:
        find_zone(new.time_zone)
    except ValueError as error:
        raise ValidationFailed.of(("body", "time_zone"), str(error)) from None
    try:
        return Cron(new.cron, new.time_zone)
    except ValueError as error:
        raise ValidationFailed.of(("body", "cron"), str(error)) from None


def _next_at(schedule: Schedule, now: Instant) -> Instant | None:
    """Return when a paused schedule goes on: in the past, if it makes up for what it missed."""
    cron = Cron(schedule.cron, schedule.time_zone)
    if schedule.missed is Missed.SKIP:
        return cron.next_after(now)
    return cron.next_after(schedule.last_fired_at or schedule.created_at)


def _found(schedule: Schedule | None) -> Schedule:
    if schedule is None:
        raise NotFound("schedule")
    return schedule
