"""A schedule: a message that comes again and again."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import uuid5

from shared.clock import Instant, after, iso
from shared.domain.jsontypes import JsonObject
from shared.domain.principal import Principal
from shared.domain.requests import NewMessage
from shared.ids import MessageId, RunId, ScheduleId, spell

LATE_SECONDS = 60.0  # what is sent within a minute of its time was not missed
MOST_AT_ONCE = 100  # of those missed, the newest


class Missed(StrEnum):
    """What becomes of the times at which nobody was there to send it."""

    SKIP = "skip"  # nothing
    ONCE = "once"  # one message for all of them
    ALL = "all"  # one message each, up to MOST_AT_ONCE


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSchedule:
    """A message to repeat; `message.session_id` is where it comes in."""

    message: NewMessage
    cron: str
    time_zone: str
    missed: Missed = Missed.SKIP


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why the last message was not accepted."""

    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A message that comes again and again, as whoever `principal` is.

    `next_at` is null while paused; `last_fired_at` is the time for which it was sent last, or
    would have been: then `last_error` says why not.
    """

    id: ScheduleId
    principal: Principal
    message: NewMessage
    cron: str
    time_zone: str
    missed: Missed
    next_at: Instant | None
    paused_at: Instant | None
    last_fired_at: Instant | None
    last_run_id: RunId | None
    last_error: Refusal | None
    created_at: Instant


def worth_sending(missed: Missed, next_at: Instant, now: Instant) -> tuple[Instant, int]:
    """Decide which of the times that have come are sent: those since when, and how many."""
    if missed is Missed.SKIP:
        return max(next_at, after(now, -LATE_SECONDS)), MOST_AT_ONCE
    return next_at, 1 if missed is Missed.ONCE else MOST_AT_ONCE


def ids_for(schedule_id: ScheduleId, due: Instant) -> tuple[MessageId, RunId]:
    """Return the ids of what is sent for one time: the same ones, whoever sends it."""
    return (
        MessageId(uuid5(schedule_id, f"message\n{due}")),
        RunId(uuid5(schedule_id, f"run\n{due}")),
    )


def origin(schedule: Schedule, due: Instant) -> JsonObject:
    """Tell the message where it comes from: `metadata.schedule`."""
    return {"schedule": {"id": spell("sched", schedule.id), "due_at": iso(due)}}
