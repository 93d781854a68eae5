"""Policies that sessions live by: changed while they do, or shown where there is none."""

from dataclasses import replace
from math import nan

import pytest

from shared.clock import SECOND
from shared.domain.errors import NotFound, SessionExpired, ValidationFailed
from shared.domain.lifetime import Expiry, Wish
from shared.storage.schema import agents
from tests.contract.conftest import Open
from tests.contract.living import HOUR, MINUTE, STEADY, USUAL, get, heartbeat, left, renew, say
from tests.platforms import House


async def test_another_policy_is_made_of_the_present_one(house: House) -> None:
    session = await house.session(expiry=STEADY)
    house.wait(10 * MINUTE)
    lifetimes = house.platform.lifetimes
    first = await lifetimes.reschedule(house.me, session.id, Wish(timeout_minutes=90))
    assert first.lifetime.expiry == replace(STEADY, timeout_minutes=90)
    assert left(first) == 90
    assert first.session.last_activity_at == session.last_activity_at
    second = await lifetimes.reschedule(house.me, session.id, Wish(max_duration_minutes=1000))
    assert second.lifetime.expiry == replace(STEADY, timeout_minutes=90, max_duration_minutes=1000)
    assert second.lifetime.renewal_count == 0
    third = await lifetimes.reschedule(house.me, session.id, Wish(timeout_minutes=nan))
    assert third.lifetime.expiry.timeout_minutes == 30


async def test_another_policy_may_end_it_at_once(house: House) -> None:
    session = await house.session(expiry=STEADY)
    house.wait(10 * MINUTE)
    wish = Wish(timeout_minutes=5)
    living = await house.platform.lifetimes.reschedule(house.me, session.id, wish)
    assert left(living) == 5
    with pytest.raises(SessionExpired):
        await get(house, session.id)


@pytest.mark.parametrize("minutes", [4.9, 1440.5, -1])
async def test_a_timeout_out_of_bounds_is_refused(house: House, minutes: float) -> None:
    session = await house.session(expiry=USUAL)
    with pytest.raises(ValidationFailed) as refused:
        await house.platform.lifetimes.reschedule(
            house.me, session.id, Wish(timeout_minutes=minutes)
        )
    [error] = refused.value.errors
    assert error.loc == ("body", "timeoutMinutes")
    assert await house.look(session) == session
    house.wait(31 * MINUTE)
    with pytest.raises(SessionExpired):
        await house.platform.lifetimes.reschedule(
            house.me, session.id, Wish(timeout_minutes=minutes)
        )


async def test_one_without_a_policy_is_shown_with_its_agents_and_never_expires(
    house: House,
) -> None:
    own = {"SESSION_TIMEOUT_MINUTES": 50, "SESSION_AUTO_RENEW": False}
    await house.write(agents.update().where(agents.c.name == "historian").values(settings=own))
    session = await house.session("historian")
    house.wait(100 * HOUR)
    living = await get(house, session.id)
    assert living.lifetime.expiry == replace(STEADY, timeout_minutes=50)
    assert living.lifetime.expires_at - living.now == 50 * MINUTE * SECOND
    assert living.session.lifetime is None
    assert (await heartbeat(house, session.id)).lifetime.renewal_count == 0
    renewed = await renew(house, session.id)
    assert renewed.lifetime.renewal_count == 1
    assert renewed.session.last_activity_at == renewed.now > session.last_activity_at
    assert (await house.look(session)).expires_at is None
    await house.platform.upkeep.sweep()
    assert (await house.look(session)).version == renewed.session.version


async def test_a_policy_is_given_to_one_that_had_none(house: House) -> None:
    session = await house.session()
    house.wait(10 * MINUTE)
    await renew(house, session.id)
    wish = Wish(timeout_minutes=20)
    living = await house.platform.lifetimes.reschedule(house.me, session.id, wish)
    assert living.lifetime == living.session.lifetime
    assert living.lifetime.expiry == replace(USUAL, timeout_minutes=20)
    assert living.lifetime.renewal_count == 1
    assert 30 <= left(living) < 31
    house.wait(20 * MINUTE)
    with pytest.raises(SessionExpired):
        await get(house, session.id)


async def test_the_settings_say_what_is_usual(open_it: Open) -> None:
    async with open_it(
        session_default_timeout_minutes=20.0,
        session_min_timeout_minutes=2.0,
        session_max_timeout_minutes=60.0,
        session_max_duration_minutes=40.0,
        session_warning_threshold_minutes=3.0,
        session_cleanup_interval_minutes=7.0,
        expired_visible_hours=1.0,
    ) as house:
        lifetimes = house.platform.lifetimes
        usual = Expiry(timeout_minutes=20, max_duration_minutes=40, warning_threshold_minutes=3)
        assert lifetimes.default({}) == usual
        for wished, given in ((1, 2), (99, 60)):
            expiry = lifetimes.opening({}, Wish(timeout_minutes=wished))
            assert expiry.timeout_minutes == given
        session = await house.session(expiry=usual)
        house.wait(20 * MINUTE)
        for verb in (get, say):
            with pytest.raises(SessionExpired):
                await verb(house, session.id)
        house.wait(67 * MINUTE)
        for verb in (get, say):
            with pytest.raises(NotFound):
                await verb(house, session.id)
