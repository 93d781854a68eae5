"""Recurrence: sending the messages of schedules when they are due."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import structlog

from shared.clock import Instant, after
from shared.domain.errors import InternalError, InturnError, NotFound, Unavailable
from shared.domain.message import size_of
from shared.domain.requests import Accepted
from shared.domain.schedule import (
    LATE_SECONDS,
    Refusal,
    Schedule,
    ids_for,
    origin,
    worth_sending,
)
from shared.ids import RunId, ScheduleId
from shared.service.cron import Cron
from shared.service.intake import Entry, Intake
from shared.storage import schedules as rows
from shared.storage.store import Store, Transaction

log = structlog.get_logger(__name__)

# In one transaction: schedules that are looked at, and what they may send.
_SCHEDULES, _MESSAGES, _CHARACTERS = 50, 200, 4_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Due:
    """A schedule whose time has come, and what it sends."""

    schedule: Schedule
    times: tuple[Instant, ...]
    next_at: Instant | None

    def entries(self) -> Iterator[Entry]:
        message = self.schedule.message
        for due in self.times:
            message_id, run_id = ids_for(self.schedule.id, due)
            metadata = message.metadata | origin(self.schedule, due)
            yield Entry(
                principal=self.schedule.principal,
                new=replace(message, metadata=metadata),
                message_id=message_id,
                run_id=run_id,
            )


class Recurrence:
    """Sends in the schedules' names; any number of processes may do so."""

    def __init__(self, store: Store, intake: Intake) -> None:
        self._store = store
        self._intake = intake

    async def send_due(self) -> None:
        """Send what is due, in one commit with the next time it is."""
        async with self._store.reading() as reading:
            due = await rows.due_ids(reading, await self._store.now(reading))
        for start in range(0, len(due), _SCHEDULES):
            await self._send(due[start : start + _SCHEDULES])

    async def _send(self, ids: Sequence[ScheduleId]) -> None:
        """Send some together; if that fails, each by itself: one must not stop the others."""
        try:
            async with self._store.transaction() as transaction:
                accepted = await self._send_in(transaction, ids)
        except Unavailable:
            raise
        except Exception:
            if len(ids) == 1:
                log.exception("schedule_failed", schedule_id=str(ids[0]))
                await self._postpone(ids[0])
            else:
                for schedule_id in ids:
                    await self._send([schedule_id])
        else:
            for entry, each in accepted:
                self._intake.note(entry.principal, each)

    async def _send_in(
        self, transaction: Transaction, ids: Sequence[ScheduleId]
    ) -> list[tuple[Entry, Accepted]]:
        now = await self._store.now(transaction)
        due = list(_some(await rows.take_due(transaction, ids, now), now))
        entries = [entry for each in due for entry in each.entries()]
        results = await self._intake.take_in(transaction, entries)
        said = {entry.run_id: result for entry, result in zip(entries, results, strict=True)}
        for each in due:
            await self._write(transaction, each, said, now)
        return [
            (entry, result)
            for entry, result in zip(entries, results, strict=True)
            if isinstance(result, Accepted)
        ]

    async def _write(
        self,
        transaction: Transaction,
        due: _Due,
        said: dict[RunId, Accepted | InturnError],
        now: Instant,
    ) -> None:
        """Write when it is due next, and what was said to the last message."""
        schedule_id = due.schedule.id
        values: dict[str, object] = {"next_at": due.next_at}
        for moment in due.times:
            _, run_id = ids_for(schedule_id, moment)
            result = said[run_id]
            if isinstance(result, NotFound):  # the session is gone, and so is this
                await rows.remove(transaction, schedule_id)
                return
            values |= {"last_fired_at": moment} | _outcome(result)
        await rows.change(transaction, schedule_id, now, **values)

    async def _postpone(self, schedule_id: ScheduleId) -> None:
        """Say that something is wrong on our side, and try again later."""
        async with self._store.transaction() as transaction:
            now = await self._store.now(transaction)
            wrong = _outcome(InternalError("Something went wrong on our side; the log has it."))
            later = after(now, LATE_SECONDS)
            if await rows.take_ids(transaction, [schedule_id], now):  # else it was paused, or sent
                await rows.change(transaction, schedule_id, now, next_at=later, **wrong)


def _some(schedules: Sequence[Schedule], now: Instant) -> Iterator[_Due]:
    """Take schedules until a transaction has enough to do; the others are due next time."""
    messages = characters = 0
    for schedule in schedules:
        if messages >= _MESSAGES or characters >= _CHARACTERS:
            return
        cron = Cron(schedule.cron, schedule.time_zone)
        assert schedule.next_at is not None  # noqa: S101  (it is due)
        since, at_most = worth_sending(schedule.missed, schedule.next_at, now)
        times = cron.newest(since, now, at_most)
        size = size_of(schedule.message.content)
        fit = max(1, (_CHARACTERS - characters) // max(1, size))
        messages += len(times[:fit])
        characters += len(times[:fit]) * size
        next_at = times[fit] if fit < len(times) else cron.next_after(now)
        yield _Due(schedule=schedule, times=times[:fit], next_at=next_at)


def _outcome(result: Accepted | InturnError) -> dict[str, object]:
    if isinstance(result, Accepted):
        return {"last_run_id": result.run.id, "last_error": None}
    return {"last_error": rows.from_refusal(Refusal(code=result.code, message=result.detail))}
