"""The few words that tests of schedules need."""

from shared.clock import Instant
from shared.domain.schedule import Missed, NewSchedule, Schedule
from shared.domain.session import Session
from shared.service.once import fresh
from tests.platforms import House, a_message


async def schedule(
    house: House,
    session: Session,
    cron: str = "* * * * *",
    missed: Missed = Missed.SKIP,
    **more: object,
) -> Schedule:
    message = a_message(session.id, "again", metadata={"tier": 1}, **more)
    new = NewSchedule(message=message, cron=cron, time_zone="UTC", missed=missed)
    return fresh(await house.platform.schedules.create_once(house.me, new, None))


async def look(house: House, made: Schedule) -> Schedule:
    return await house.platform.schedules.get(house.me, made.id)


async def sent(house: House, session: Session) -> list[str]:
    """The times for which messages came in."""
    found = []
    for message in await house.messages(session):
        origin = message.metadata["schedule"]
        assert isinstance(origin, dict)
        found.append(str(origin["due_at"]))
    return found


async def until(house: House, moment: Instant | None) -> None:
    assert moment is not None
    async with house.store.reading() as reading:
        house.store.offset += moment - await house.store.now(reading)
