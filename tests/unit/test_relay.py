"""The relay against a store and a broker that fail on demand."""

import asyncio

import pytest

from shared.dispatch.relay import BrokerState, PoolBusy, Relay
from tests.unit.belfry import AWAY, Bell, Rows, an_hour, no_wait, running


@pytest.fixture
def rows() -> Rows:
    return Rows()


@pytest.fixture
def bell() -> Bell:
    return Bell()


async def test_takes_batches_until_nothing_is_left(rows: Rows, bell: Bell) -> None:
    added = rows.add("default", 5)
    relay = Relay(rows, bell, batch_size=2)
    async with running(relay):
        relay.poke(["default"])
        await rows.until(lambda: len(rows.marked) == 5)
    assert bell.batches == [2, 2, 1]
    assert rows.marked == added


async def test_serves_pools_in_turn(rows: Rows, bell: Bell) -> None:
    rows.add("big", 6)
    rows.add("small", 2)
    relay = Relay(rows, bell, batch_size=2)
    async with running(relay):
        relay.poke(["big", "small"])
        await rows.until(lambda: len(rows.marked) == 8)
    assert rows.taken_from[:4] == ["big", "small", "big", "small"]


async def test_marks_the_confirmed_and_releases_the_rest(rows: Rows, bell: Bell) -> None:
    added = rows.add("default", 3)
    bell.confirms = lambda batch: [each for each in batch if each is not added[1] or len(batch) < 3]
    relay = Relay(rows, bell)
    async with running(relay):
        relay.poke(["default"])
        await rows.until(lambda: len(rows.marked) == 3)
    assert rows.released == [added[1]]
    assert rows.marked == [added[0], added[2], added[1]]


@pytest.mark.parametrize("failure", [AWAY, RuntimeError("a bug")])
async def test_a_store_that_fails_is_asked_again(
    rows: Rows, bell: Bell, failure: Exception
) -> None:
    added = rows.add("default", 1)
    rows.failures["take"] = [failure, failure]
    relay = Relay(rows, bell, uniform=no_wait)
    async with running(relay):
        relay.poke(["default"])
        await rows.until(lambda: rows.marked == added)
    assert rows.taken_from[:3] == ["default"] * 3


async def test_failing_to_mark_or_release_does_not_end_it(rows: Rows, bell: Bell) -> None:
    rows.add("default", 2)
    rows.failures["mark"] = [AWAY]
    rows.failures["release"] = [AWAY]
    bell.confirms = lambda batch: batch[:1]
    relay = Relay(rows, bell, uniform=no_wait)
    async with running(relay):
        relay.poke(["default"])
        await rows.until(lambda: len(rows.taken_from) == 2)
        later = rows.add("default", 1)
        relay.poke(["default"])
        await rows.until(lambda: rows.marked == later)


async def test_takes_nothing_while_the_broker_is_away(rows: Rows, bell: Bell) -> None:
    bell.state = BrokerState.BLOCKED
    rows.add("a", 1)
    rows.add("b", 1)
    relay = Relay(rows, bell)
    async with running(relay):
        relay.poke(["a"])
        await bell.awaited.wait()
        relay.poke(["b"])
        assert rows.taken_from == []
        bell.come_up()
        await rows.until(lambda: len(rows.marked) == 2)


async def test_a_broker_that_comes_back_gets_every_known_pool(rows: Rows, bell: Bell) -> None:
    relay = Relay(rows, bell)
    async with running(relay):
        relay.poke(["a", "b"])
        await rows.drained("a", "b")
        rows.add("b", 1)
        bell.state = BrokerState.DOWN
        relay.poke(["a"])
        await bell.awaited.wait()
        bell.come_up()
        await rows.until(lambda: len(rows.marked) == 1)


async def test_a_poke_during_a_take_is_kept(rows: Rows, bell: Bell) -> None:
    relay = Relay(rows, bell)
    poked = iter([True])
    rows.on_take = lambda pool: relay.poke([pool]) if next(poked, False) else None
    async with running(relay):
        relay.poke(["default"])
        await rows.until(lambda: len(rows.taken_from) == 2)


async def test_a_pool_that_gets_nothing_through_rests_longer_each_time(
    rows: Rows, bell: Bell
) -> None:
    ceilings: list[float] = []

    def dice(_low: float, high: float) -> float:
        ceilings.append(high)
        return 0.0

    rows.add("default", 1)
    bell.confirms = lambda batch: batch if len(bell.batches) > 3 else ()
    relay = Relay(rows, bell, uniform=dice)
    async with running(relay):
        relay.poke(["default"])
        await rows.until(lambda: len(rows.marked) == 1)
    assert ceilings == [0.1, 0.2, 0.4]


async def test_a_resting_pool_keeps_its_rest_and_holds_nobody_up(rows: Rows, bell: Bell) -> None:
    rows.failures["take"] = [AWAY]
    relay = Relay(rows, bell, uniform=an_hour)
    async with running(relay):
        relay.poke(["tired"])
        await rows.until(lambda: rows.taken_from == ["tired"])
        relay.poke(["tired", "fresh"])
        await rows.drained("fresh")
        assert rows.taken_from.count("tired") == 1
        bell.state = BrokerState.DOWN
        relay.poke(["fresh"])
        await bell.awaited.wait()
        bell.come_up()
        await rows.until(lambda: rows.taken_from.count("tired") == 2)


async def test_a_pool_that_another_relay_has_is_asked_again(rows: Rows, bell: Bell) -> None:
    added = rows.add("default", 1)
    rows.failures["take"] = [PoolBusy(), PoolBusy()]
    relay = Relay(rows, bell)
    async with running(relay):
        relay.poke(["default"])
        await rows.until(lambda: rows.marked == added)
    assert rows.taken_from == ["default"] * 3


async def test_pokes_in_vain_are_gathered_and_none_is_forgotten(rows: Rows, bell: Bell) -> None:
    relay = Relay(rows, bell)
    async with running(relay):
        relay.poke(["default"])
        await rows.until(lambda: len(rows.taken_from) == 1)
        relay.poke(["default"])
        await rows.until(lambda: len(rows.taken_from) == 2)
        await asyncio.sleep(0)
        for _ in range(50):
            relay.poke(["default"])
        added = rows.add("default", 1)
        await rows.until(lambda: rows.marked == added)
    assert len(rows.taken_from) == 3
