"""A schedule and its session end in either order, and nobody waits for nobody.

Stepped by hand on two connections of PostgreSQL; SQLite has one writer and cannot show any of this.
"""

import asyncio

import pytest

from shared.service.recurrence import Recurrence
from shared.storage import schedules as rows
from shared.storage import upkeep
from shared.storage.schema import messages, schedules, sessions
from tests.contract.recurring import schedule, until
from tests.platforms import House


@pytest.fixture
def kind() -> str:
    return "postgres"


async def test_a_session_goes_while_its_schedule_is_being_sent(house: House) -> None:
    session = await house.session()
    made = await schedule(house, session)
    await until(house, made.next_at)
    async with house.store.transaction() as sending:
        now = await house.store.now(sending)
        assert await rows.take_due(sending, [made.id], now)
        await house.platform.sessions.delete(house.me, session.id)
        await house.platform.upkeep.sweep()
        assert await house.count(sessions) == 0
    assert await house.count(schedules) == 1
    await house.platform.upkeep.due()
    assert await house.count(schedules) == 0
    assert await house.count(messages) == 0


async def test_a_schedule_is_sent_while_its_session_goes(house: House) -> None:
    session = await house.session()
    made = await schedule(house, session)
    await until(house, made.next_at)
    await house.platform.sessions.delete(house.me, session.id)
    async with house.store.transaction() as removing:
        await upkeep.remove_deleted(removing)
        await Recurrence(house.store, house.platform.intake).send_due()
    assert (await house.count(schedules), await house.count(sessions)) == (0, 0)


async def test_a_schedule_that_is_being_sent_is_changed_afterwards(house: House) -> None:
    session = await house.session()
    made = await schedule(house, session)
    await until(house, made.next_at)
    async with house.store.transaction() as sending:
        assert await rows.take_due(sending, [made.id], await house.store.now(sending))
        pausing = asyncio.create_task(house.platform.schedules.pause(house.me, made.id))
        await house.until_somebody_waits_for_a_lock()
        await Recurrence(house.store, house.platform.intake).send_due()
        assert await house.count(messages) == 0
    assert (await pausing).next_at is None
