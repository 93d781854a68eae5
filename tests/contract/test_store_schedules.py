"""Messages that recur: each time once, whoever sends it, and what becomes of those missed."""

import asyncio

import pytest
from structlog.testing import capture_logs

from shared.clock import SECOND, Instant, iso, to_datetime
from shared.domain.errors import NotFound, SessionEnded, ValidationFailed
from shared.domain.paging import Page
from shared.domain.principal import Principal, Scope
from shared.domain.requests import NewSession
from shared.domain.schedule import Missed, NewSchedule
from shared.ids import ScheduleId, new_id, spell
from shared.service.recurrence import Recurrence
from shared.storage.schema import runs, schedules, sessions
from tests.contract.recurring import look, schedule, sent, until
from tests.platforms import House, a_message

MINUTE = 60.0
HOUR = 3600.0
ANNA = Principal(tenant="acme", user_id="anna", scope=Scope.USER)
BERT = Principal(tenant="acme", user_id="bert", scope=Scope.USER)


def minutes(first: Instant, count: int) -> list[str]:
    return [iso(Instant(first + n * 60 * SECOND)) for n in range(count)]


async def test_its_message_comes_in_when_it_is_due(house: House) -> None:
    session = await house.session()
    made = await schedule(house, session, priority=7)
    assert made.next_at is not None
    assert to_datetime(made.next_at).second == 0
    await house.platform.upkeep.due()
    assert await sent(house, session) == []
    await until(house, made.next_at)
    await house.platform.upkeep.due()
    assert house.said == ["default"]
    await house.platform.upkeep.due()
    [message] = await house.messages(session)
    origin = {"id": spell("sched", made.id), "due_at": iso(made.next_at)}
    assert (message.content, message.metadata) == ("again", {"tier": 1, "schedule": origin})
    assert message.run_id is not None
    run = await house.run(message.run_id)
    assert (run.status, run.priority, run.correlation_id) == ("queued", 7, "test")
    after = await look(house, made)
    assert (after.last_fired_at, after.last_run_id) == (made.next_at, run.id)
    assert after.next_at == made.next_at + MINUTE * SECOND
    assert after.last_error is None


@pytest.mark.parametrize(("missed", "count"), [(Missed.SKIP, 0), (Missed.ONCE, 1), (Missed.ALL, 4)])
async def test_what_nobody_sent_in_time_was_missed(
    house: House, missed: Missed, count: int
) -> None:
    session = await house.session()
    made = await schedule(house, session, "0 * * * *", missed)
    assert made.next_at is not None
    await until(house, made.next_at)
    house.wait(3 * HOUR + 2 * MINUTE)
    await house.platform.upkeep.due()
    hours = [iso(Instant(made.next_at + round(n * HOUR * SECOND))) for n in range(4)]
    assert await sent(house, session) == (hours[-count:] if count else [])
    assert (await look(house, made)).next_at == made.next_at + round(4 * HOUR * SECOND)


async def test_a_little_late_is_not_missed(house: House) -> None:
    session = await house.session()
    made = await schedule(house, session)
    await until(house, made.next_at)
    house.wait(59)
    await house.platform.upkeep.due()
    assert len(await sent(house, session)) == 1


async def test_too_many_missed_are_the_newest(house: House) -> None:
    session = await house.session()
    made = await schedule(house, session, missed=Missed.ALL)
    await until(house, made.next_at)
    house.wait(200 * MINUTE)
    await house.platform.upkeep.due()
    after = await look(house, made)
    # The line took five of the hundred; the newest was refused.
    assert made.next_at is not None
    first = Instant(made.next_at + round(101 * MINUTE * SECOND))
    assert await sent(house, session) == minutes(first, 5)
    assert after.last_fired_at == made.next_at + round(200 * MINUTE * SECOND)
    assert after.last_error is not None
    assert after.last_error.code == "session_queue_full"
    assert "5 queued runs" in after.last_error.message


@pytest.mark.parametrize(("missed", "count"), [(Missed.SKIP, 0), (Missed.ONCE, 1), (Missed.ALL, 3)])
async def test_a_pause_is_a_time_missed(house: House, missed: Missed, count: int) -> None:
    session = await house.session()
    made = await schedule(house, session, missed=missed)
    paused = await house.platform.schedules.pause(house.me, made.id)
    assert paused.next_at is None
    assert paused.paused_at is not None
    assert await house.platform.schedules.pause(house.me, made.id) == paused
    await until(house, made.next_at)
    house.wait(2.5 * MINUTE)
    await house.platform.upkeep.due()
    assert await sent(house, session) == []
    resumed = await house.platform.schedules.resume(house.me, made.id)
    assert resumed.paused_at is None
    assert await house.platform.schedules.resume(house.me, made.id) == resumed
    await house.platform.upkeep.due()
    assert made.next_at is not None
    assert await sent(house, session) == minutes(made.next_at, 3)[3 - count :]


async def test_one_that_is_refused_does_not_stop_the_next(house: House) -> None:
    ended, lively = await house.session(), await house.session()
    refused, taken = await schedule(house, ended), await schedule(house, lively)
    await house.write(sessions.update().where(sessions.c.id == ended.id).values(ended_at=1))
    await until(house, taken.next_at)
    await house.platform.upkeep.due()
    assert len(await sent(house, lively)) == 1
    after = await look(house, refused)
    assert after.last_error is not None
    assert (after.last_error.code, after.last_run_id) == ("session_ended", None)
    assert after.next_at == (await look(house, taken)).next_at
    await house.write(sessions.update().where(sessions.c.id == ended.id).values(ended_at=None))
    house.wait(MINUTE)
    await house.platform.upkeep.due()
    assert (await look(house, refused)).last_error is None


async def test_one_that_cannot_be_read_does_not_stop_the_next(house: House) -> None:
    session = await house.session()
    broken, sound = await schedule(house, session), await schedule(house, session)
    wrong = schedules.update().where(schedules.c.id == broken.id).values(time_zone="Mars/Olympus")
    await house.write(wrong)
    await until(house, sound.next_at)
    with capture_logs() as logged:
        await house.platform.upkeep.due()
    assert [each["event"] for each in logged] == ["schedule_failed"]
    assert len(await sent(house, session)) == 1
    after = await look(house, broken)
    assert after.last_error is not None
    assert after.last_error.code == "internal_error"
    assert await house.count(schedules, schedules.c.next_at <= (sound.next_at or 0)) == 0


async def test_one_that_cannot_be_read_stays_paused(house: House) -> None:
    made = await schedule(house, await house.session())
    await until(house, made.next_at)
    await house.platform.schedules.pause(house.me, made.id)  # since it was tried
    await Recurrence(house.store, house.platform.intake)._postpone(made.id)  # noqa: SLF001
    assert (await look(house, made)).next_at is None


async def test_what_was_missed_and_is_large_comes_in_parts(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.service.recurrence._CHARACTERS", 3 * len("again"))
    session = await house.session()
    made = await schedule(house, session, missed=Missed.ALL)
    await until(house, made.next_at)
    house.wait(4 * MINUTE)
    await house.platform.upkeep.due()
    assert made.next_at is not None
    assert await sent(house, session) == minutes(made.next_at, 3)
    await house.platform.upkeep.due()
    assert await sent(house, session) == minutes(made.next_at, 5)
    assert (await look(house, made)).next_at == made.next_at + 5 * 60 * SECOND


async def test_a_time_is_sent_once_whatever_the_rows_say(house: House) -> None:
    session = await house.session()
    made = await schedule(house, session)
    await until(house, made.next_at)
    for _ in range(2):
        await house.platform.upkeep.due()
        assert (await look(house, made)).last_error is None
        await house.write(schedules.update().values(next_at=made.next_at))
    assert await house.count(runs) == 1


async def test_two_sweepers_send_each_time_once(house: House) -> None:
    made = [await schedule(house, await house.session()) for _ in range(6)]
    await until(house, max(each.next_at or 0 for each in made))  # type: ignore[arg-type]
    recurrences = [Recurrence(house.store, house.platform.intake) for _ in range(4)]
    await asyncio.gather(*(each.send_due() for each in recurrences))
    assert await house.count(runs) == 6
    assert await house.count(schedules, schedules.c.last_run_id.is_not(None)) == 6


async def test_it_goes_with_its_session(house: House) -> None:
    session = await house.session()
    made = await schedule(house, session)
    await house.platform.sessions.delete(house.me, session.id)
    with pytest.raises(NotFound, match="schedule"):
        await look(house, made)
    await until(house, made.next_at)
    await house.platform.upkeep.due()
    assert await house.count(schedules) == 0
    again = await house.session()
    await schedule(house, again)
    await house.platform.sessions.delete(house.me, again.id)
    await house.platform.upkeep.sweep()
    assert (await house.count(schedules), await house.count(sessions)) == (0, 0)


async def test_it_exists_for_whoever_sees_its_session(house: House) -> None:
    platform = house.platform
    session = await platform.sessions.create(ANNA, NewSession(agent="echo"))
    made = await schedule(house, session)
    assert (await platform.schedules.get(ANNA, made.id)).id == made.id
    assert len((await platform.schedules.list(ANNA, session.id, Page())).data) == 1
    assert (await platform.schedules.list(BERT, None, Page())).data == ()
    new = NewSchedule(message=a_message(session.id), cron="* * * * *", time_zone="UTC")
    with pytest.raises(NotFound, match="session"):
        await platform.schedules.create_once(BERT, new, None)
    for verb in (platform.schedules.get, platform.schedules.pause, platform.schedules.delete):
        with pytest.raises(NotFound, match="schedule"):
            await verb(BERT, made.id)
        with pytest.raises(NotFound, match="schedule"):
            await verb(ANNA, ScheduleId(new_id()))
    await platform.schedules.delete(ANNA, made.id)
    assert await house.count(schedules) == 0


@pytest.mark.parametrize(
    ("cron", "zone", "field"),
    [
        ("61 * * * *", "UTC", "cron"),
        ("0 0 */31 * 1#5", "UTC", "cron"),
        ("* * * * *", "x", "time_zone"),
    ],
)
async def test_what_is_never_due_is_refused(house: House, cron: str, zone: str, field: str) -> None:
    session = await house.session()
    new = NewSchedule(message=a_message(session.id), cron=cron, time_zone=zone)
    with pytest.raises(ValidationFailed) as error:
        await house.platform.schedules.create_once(house.me, new, None)
    assert error.value.errors[0].loc == ("body", field)


async def test_an_ended_session_takes_no_schedule(house: House) -> None:
    session = await house.session()
    await house.write(sessions.update().values(ended_at=1))
    with pytest.raises(SessionEnded):
        await schedule(house, session)
