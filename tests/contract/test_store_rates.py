"""Rates of posting: exact, charged whole or not at all, and not for what was refused anyway."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack

import pytest

from shared.clock import SECOND, Instant
from shared.domain.errors import InturnError, NotFound, RateLimited, SessionBusy, SessionQueueFull
from shared.domain.principal import Principal, Scope
from shared.domain.rates import Meter, Rate, RequestRates, parse_rate, user_subject
from shared.domain.requests import Accepted
from shared.domain.run import OnBusy
from shared.domain.session import Session
from shared.ids import MessageId, RunId, SessionId, new_id
from shared.storage import intake
from shared.storage.meters import forget_idle
from shared.storage.schema import meters, runs
from tests.contract.conftest import Open
from tests.platforms import House, a_message


def rate(text: str) -> Rate:
    parsed = parse_rate(text)
    assert parsed is not None
    return parsed


def meter(subject: str | None, text: str, name: str = "key") -> Meter:
    return Meter(name=name, subject=subject, rate=rate(text))


async def post(house: House, session: Session, *charged: Meter, **more: object) -> Accepted:
    new = a_message(session.id, **more)  # type: ignore[arg-type]
    return await house.platform.intake.accept(house.me, new, meters=charged)


def an_intake(house: House, session_id: SessionId, *charged: Meter) -> intake.Intake:
    return intake.Intake(
        principal=house.me,
        new=a_message(session_id),
        message_id=MessageId(new_id()),
        run_id=RunId(new_id()),
        max_queued=100,
        meters=charged,
    )


async def arrivals(house: House) -> dict[str, int]:
    return {row.subject: row.arrival_at for row in await house.rows(meters.select())}


def passed(results: Sequence[object]) -> int:
    return sum(isinstance(each, Accepted) for each in results)


async def test_of_many_at_once_as_many_pass_as_the_rate_says_whichever_process_they_ask(
    house: House, open_it: Open, database: str
) -> None:
    async with AsyncExitStack() as opened:
        houses = [house]
        if database.startswith("postgresql"):
            houses.append(await opened.enter_async_context(open_it()))
        sessions = [await house.session() for _ in range(10)]
        hourly = meter("key:1", "7/h")
        results = await asyncio.gather(
            *(post(each, session, hourly) for session in sessions for each in houses * 2),
            return_exceptions=True,
        )
    assert passed(results) == 7 == await house.count(runs)
    refused = [each for each in results if not isinstance(each, Accepted)]
    assert all(isinstance(each, RateLimited) for each in refused)


async def test_who_asks_second_waits_until_the_first_has_committed(house: House) -> None:
    if house.store.sqlite:
        return  # it has one writer
    session, once = await house.session(), meter("key:1", "1/h")
    async with house.store.transaction() as transaction:
        [first] = await intake.accept(
            house.store, transaction, [an_intake(house, (await house.session()).id, once)]
        )
        second = asyncio.create_task(post(house, session, once))
        await house.until_somebody_waits_for_a_lock()
    assert isinstance(first, Accepted)
    with pytest.raises(RateLimited):
        await second


async def test_time_brings_more_and_who_waits_as_told_passes(house: House) -> None:
    session, twice = await house.session(), meter("key:1", "60/h;burst=2")
    left = [(await post(house, session, twice)).allowances[0].remaining for _ in range(2)]
    assert left == [1, 0]
    with pytest.raises(RateLimited, match="60 messages an hour, 2 at once; the next") as refused:
        await post(house, session, twice)
    assert refused.value.retry_after is not None
    assert 0 < refused.value.retry_after <= 60
    assert refused.value.allowances[0].remaining == 0
    house.wait(refused.value.retry_after)
    await post(house, session, twice)


async def test_a_message_is_charged_to_all_of_its_meters_or_to_none(house: House) -> None:
    session = await house.session()
    wide, narrow = meter("key:1", "9/h"), meter("session:1", "1/h", "session")
    await post(house, session, wide, narrow)
    before = await arrivals(house)
    with pytest.raises(RateLimited, match="This session may post 1 message an hour; ") as refused:
        await post(house, session, wide, narrow)
    assert await arrivals(house) == before
    assert [each.remaining for each in refused.value.allowances] == [8, 0]
    longest = meter("user:1", "1/h;burst=1", "user")
    await post(house, session, longest)
    house.wait(10)
    with pytest.raises(RateLimited) as refused:
        await post(house, session, narrow, longest)
    assert refused.value.retry_after == pytest.approx(3590, abs=60)


async def test_what_is_refused_for_another_reason_costs_nothing(house: House) -> None:
    session, one = await house.session(), meter("key:1", "9/h")
    for _ in range(5):
        await post(house, session)
    refusals: list[tuple[type[InturnError], object]] = [
        (SessionQueueFull, post(house, session, one)),
        (
            NotFound,
            house.platform.intake.accept(house.me, a_message(SessionId(new_id())), meters=(one,)),
        ),
    ]
    busy = await house.session()
    await post(house, busy)
    refusals.append((SessionBusy, post(house, busy, one, on_busy=OnBusy.REJECT)))
    for error, refused in refusals:
        with pytest.raises(error) as raised:
            await refused  # type: ignore[misc]
        assert bool(raised.value.allowances) is (error is not NotFound)
    assert (await post(house, await house.session(), one)).allowances[0].remaining == 8


async def test_a_batch_that_is_written_again_is_charged_once(house: House) -> None:
    """The answer to a commit was lost: what is there is found, and nothing is charged."""
    item = an_intake(house, (await house.session()).id, meter("key:1", "9/h"))
    for _ in range(2):
        async with house.store.transaction() as transaction:
            [taken] = await intake.accept(house.store, transaction, [item])
        assert isinstance(taken, Accepted)
    left = (await post(house, await house.session(), *item.meters)).allowances[0]
    assert left.remaining == 7


async def test_a_user_is_metered_in_every_session_and_by_every_caller(house: House) -> None:
    rates = RequestRates(user=rate("2/h"))
    ann = Principal(tenant="default", user_id="ann", scope=Scope.USER)
    hers = [await house.session(user_id="ann") for _ in range(3)]
    nobody_s = await house.session()
    by_herself = rates.meters(ann, None, hers[0].id)
    await house.platform.intake.accept(ann, a_message(hers[0].id), meters=by_herself)
    await post(house, hers[1], *rates.meters(house.me, None, hers[1].id))
    with pytest.raises(RateLimited, match="This user"):
        await post(house, hers[2], *rates.meters(house.me, None, hers[2].id))
    assert (await arrivals(house)).keys() == {user_subject(ann.id)}
    for _ in range(3):
        accepted = await post(house, nobody_s, *rates.meters(house.me, None, nobody_s.id))
        assert accepted.allowances == ()


async def test_nothing_is_asked_of_the_database_where_nothing_is_metered(house: House) -> None:
    accepted = await post(house, await house.session())
    assert (accepted.allowances, await house.count(meters)) == ((), 0)


async def test_idle_meters_go_and_nobody_gains_by_it(house: House) -> None:
    session = await house.session()
    for subject, text in (("key:1", "3600/h"), ("key:2", "3600/h"), ("key:3", "1/h")):
        await post(house, session, meter(subject, text))
    house.wait(60)

    async def forget(limit: int) -> int:
        async with house.store.transaction() as transaction:
            return await forget_idle(transaction, await house.store.now(transaction), limit)

    assert [await forget(1), await forget(5), await forget(5)] == [1, 1, 0]
    assert (await arrivals(house)).keys() == {"key:3"}
    with pytest.raises(RateLimited):
        await post(house, session, meter("key:3", "1/h"))


async def test_a_meter_that_is_removed_meanwhile_is_made_anew(house: House) -> None:
    if house.store.sqlite:
        return  # it has one writer
    session, one = await house.session(), meter("key:1", "1/h")
    await post(house, session, one)
    house.wait(7200)
    async with house.store.transaction() as transaction:
        assert await forget_idle(transaction, await house.store.now(transaction), 9) == 1
        posts = [asyncio.create_task(post(house, session, one)) for _ in range(3)]
        await house.until_somebody_waits_for_a_lock()
    assert passed(await asyncio.gather(*posts, return_exceptions=True)) == 1
    assert (await arrivals(house))["key:1"] > Instant(0) + SECOND
