"""Sessions counted by how long they live: for whoever lists them, and for who asks how it goes."""

from dataclasses import replace

import pytest

from shared.clock import SECOND
from shared.domain.principal import ANONYMOUS
from shared.domain.requests import NewSession
from shared.storage.schema import sessions
from tests.contract.living import HOUR, MINUTE, SOMEBODY, STEADY, USUAL, end, heartbeat
from tests.platforms import House


async def test_the_living_are_counted(house: House) -> None:
    lifetimes = house.platform.lifetimes
    expired = await house.session(expiry=USUAL)
    house.wait(20 * MINUTE)
    near, lasting, ended = [await house.session(expiry=each) for each in (USUAL, None, USUAL)]
    await end(house, ended.id)
    deleted = await house.session()
    await house.platform.sessions.delete(house.me, deleted.id)
    house.wait(11 * MINUTE)
    census = await lifetimes.living(house.me)
    assert [each.session.id for each in census.sessions] == [lasting.id, near.id]
    assert (census.total, census.stored) == (2, 3)
    await heartbeat(house, near.id)
    census = await lifetimes.living(house.me, limit=1)
    assert [each.session.id for each in census.sessions] == [near.id]
    assert (census.total, census.stored) == (2, 3)
    assert census.sessions[0].lifetime == census.sessions[0].session.lifetime
    house.wait(24 * HOUR + 5 * MINUTE)
    census = await lifetimes.living(house.me)
    assert (census.total, census.stored) == (1, 2)
    house.wait(HOUR)
    census = await lifetimes.living(house.me)
    assert (census.total, census.stored) == (1, 1)
    [shown] = census.sessions
    assert shown.lifetime.expires_at - shown.now == 30 * MINUTE * SECOND
    assert (await house.look(expired)).ended_at is None


async def test_one_sees_ones_own(house: House) -> None:
    lifetimes = house.platform.lifetimes
    mine = NewSession(agent="echo", user_id="somebody", expiry=USUAL)
    session = await house.platform.sessions.create(house.me, mine)
    await house.platform.sessions.create(ANONYMOUS, NewSession(agent="echo"))
    await house.session()
    counted = {each: await lifetimes.living(each) for each in (house.me, ANONYMOUS, SOMEBODY)}
    assert [each.total for each in counted.values()] == [3, 1, 1]
    assert counted[SOMEBODY].sessions[0].session == session
    vitals = [await lifetimes.health(each) for each in (None, house.me, ANONYMOUS, SOMEBODY)]
    assert [each.active for each in vitals] == [3, 3, 1, 1]


async def test_what_is_past_its_end_does_not_end_soon(house: House) -> None:
    await house.session(expiry=USUAL)
    house.wait(31 * MINUTE)
    assert (await house.platform.lifetimes.health(None)).expiring_soon == 0


async def test_health_says_who_ends_soon_and_whether_a_sweep_is_late(house: House) -> None:
    lifetimes = house.platform.lifetimes
    for _ in range(2):
        session = await house.session(expiry=USUAL)
    vitals = await lifetimes.health(None)
    assert (vitals.active, vitals.expiring_soon, vitals.invalid, vitals.late) == (2, 0, 0, False)
    house.wait(25 * MINUTE + 1)
    assert (await lifetimes.health(None)).expiring_soon == 2
    await house.platform.sessions.delete(house.me, session.id)
    assert (await lifetimes.health(None)).expiring_soon == 1
    assert not (await lifetimes.health(None)).late
    house.wait(11)
    assert (await lifetimes.health(None)).late
    await house.platform.upkeep.due()
    vitals = await lifetimes.health(None)
    assert (vitals.active, vitals.expiring_soon, vitals.late) == (1, 0, False)
    house.wait(5 * MINUTE - 10)
    assert (await lifetimes.health(None)).active == 0
    assert not (await lifetimes.health(None)).late
    house.wait(11)
    assert (await lifetimes.health(None)).late
    await house.platform.upkeep.due()
    assert not (await lifetimes.health(None)).late


@pytest.mark.parametrize(
    "wrong",
    [
        {"expires_at": None},
        {"timeout_minutes": 0},
        {"timeout_minutes": None},
        {"auto_renew": None},
        {"max_duration_minutes": 29},
    ],
    ids=str,
)
async def test_a_policy_that_contradicts_itself_is_counted(
    house: House, wrong: dict[str, object]
) -> None:
    for expiry in (USUAL, STEADY, None, replace(USUAL, max_duration_minutes=30)):
        await house.session(expiry=expiry)
    session = await house.session(expiry=USUAL)
    assert (await house.platform.lifetimes.health(None)).invalid == 0
    await house.write(sessions.update().where(sessions.c.id == session.id).values(wrong))
    assert (await house.platform.lifetimes.health(None)).invalid == 1
