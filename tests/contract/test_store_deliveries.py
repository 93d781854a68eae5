"""Deliveries: one attempt at a time, none lost, the same each time, and a log of it all."""

import asyncio
from itertools import pairwise

import pytest
import sqlalchemy as sa

from shared.clock import SECOND
from shared.domain.lifetime import Expiry
from shared.domain.webhook import (
    Answer,
    DeliveryFilter,
    DeliveryStatus,
    Outgoing,
)
from shared.storage.deliveries import prune
from shared.storage.schema import deliveries
from tests.contract.listener import HOLD_SECONDS, Listener
from tests.platforms import House

OK, ERROR = Answer(milliseconds=12, status=200, excerpt="thanks"), Answer(status=500)


@pytest.fixture
def listener(house: House) -> Listener:
    return Listener(house)


async def end_a_run(house: House, **more: str) -> None:
    session = await house.session()
    run = (await house.post(session, **more)).run
    await house.platform.runs.cancel(house.me, run.id, reason=None)


async def one(listener: Listener) -> Outgoing:
    [outgoing] = await listener.take()
    return outgoing


async def test_what_is_held_is_nobody_else_s(house: House, listener: Listener) -> None:
    await listener.subscribe()
    await end_a_run(house)
    first = await one(listener)
    assert await listener.take() == []
    house.wait(HOLD_SECONDS - 1)
    assert await listener.take() == []
    house.wait(2)
    second = await one(listener)
    assert (second.id, second.body, second.secrets) == (first.id, first.body, first.secrets)
    assert second.attempt == first.attempt + 1


async def test_deliverers_at_the_same_moment_share(house: House, listener: Listener) -> None:
    await listener.subscribe()
    for _ in range(10):
        await end_a_run(house)
    taken = await asyncio.gather(*(listener.take(room=4) for _ in range(4)))
    ids = [each.id for some in taken for each in some]
    ids += [each.id for each in await listener.take()]
    assert len(ids) == len(set(ids)) == 10


async def test_a_failure_is_tried_again_until_it_is_given_up(
    house: House, listener: Listener
) -> None:
    webhook, _ = await listener.subscribe()
    await end_a_run(house)
    tries, bodies = 0, set()
    while taken := await listener.take():
        assert await listener.say(taken[0], ERROR)
        tries += 1
        bodies.add(taken[0].body)
        [entry] = await listener.log(webhook.id)
        if entry.next_at is None:
            break
        assert await listener.take() == []
        house.wait((entry.next_at - taken[0].taken_at) / SECOND)
    [entry] = await listener.log(webhook.id)
    assert (entry.status, len(entry.tries), tries, len(bodies)) == ("failed", 12, 12, 1)
    assert entry.ended_at is not None
    days = (entry.ended_at - entry.created_at) / SECOND / 3600 / 24
    assert 0.9 < days < 1
    waits = [later.at - earlier.at for earlier, later in pairwise(entry.tries)]
    assert waits == sorted(waits)
    house.wait(10**6)
    assert await listener.take() == []


async def test_the_log_says_what_came_back(house: House, listener: Listener) -> None:
    webhook, _ = await listener.subscribe()
    await end_a_run(house)
    await listener.say(await one(listener), Answer(milliseconds=5, error="no connection"))
    house.wait(10)
    await listener.say(await one(listener), OK)
    [entry] = await listener.log(webhook.id)
    first, second = entry.tries
    assert (first.error, first.status, first.milliseconds) == ("no connection", None, 5)
    assert (second.error, second.status, second.answer) == (None, 200, "thanks")
    assert entry.status is DeliveryStatus.DELIVERED
    assert entry.next_at is None
    failed = DeliveryFilter(status=DeliveryStatus.FAILED)
    assert await listener.log(webhook.id, failed) == []
    traced = DeliveryFilter(correlation_id="test", run_id=entry.run_id)
    assert await listener.log(webhook.id, traced) == [entry]


async def test_a_result_that_comes_too_late_is_logged_and_decides_nothing(
    house: House, listener: Listener
) -> None:
    webhook, _ = await listener.subscribe()
    await end_a_run(house)
    late = await one(listener)
    house.wait(HOLD_SECONDS + 1)
    current = await one(listener)
    assert not await listener.say(late, OK)
    [entry] = await listener.log(webhook.id)
    assert (entry.status, len(entry.tries)) == ("pending", 1)
    assert await listener.say(current, OK)
    assert await listener.say(current, OK)  # its answer was lost: written once
    [entry] = await listener.log(webhook.id)
    assert (entry.status, len(entry.tries)) == ("delivered", 2)


async def test_each_target_has_its_share(house: House, listener: Listener) -> None:
    slow, _ = await listener.subscribe(url="https://slow.example/")
    await listener.subscribe(url="https://quick.example/")
    for _ in range(6):
        await end_a_run(house)
    taken = await listener.take(share=4, rooms={"https://slow.example:443": 1})
    assert sorted(each.webhook_id == slow.id for each in taken) == [False] * 4 + [True]
    taken = await listener.take(share=4, rooms={"https://slow.example:443": 0})
    assert [each.webhook_id == slow.id for each in taken] == [False] * 2


async def test_nobody_waits_behind_what_a_deleted_webhook_was_to_hear(
    house: House, listener: Listener
) -> None:
    webhook, _ = await listener.subscribe()
    for _ in range(5):
        await end_a_run(house)
    await listener.webhooks.delete(listener.me, webhook.id)
    await listener.subscribe()
    for _ in range(3):
        await end_a_run(house)
    assert len(await listener.take(share=2)) == 2
    assert await house.count(deliveries, deliveries.c.status == "failed") == 5
    assert len(await listener.take(room=1)) == 1


async def test_redelivery_is_the_same_again(house: House, listener: Listener) -> None:
    webhook, _ = await listener.subscribe()
    await end_a_run(house)
    first = await one(listener)
    await listener.say(first, OK)
    again = await listener.redeliver(webhook.id, first.id)
    assert (again.id, again.status) == (first.id, "pending")
    second = await one(listener)
    assert (second.id, second.body, second.attempt) == (first.id, first.body, 1)
    assert await listener.say(second, ERROR)
    [entry] = await listener.log(webhook.id)
    assert (entry.status, [each.status for each in entry.tries]) == ("pending", [200, 500])


async def test_what_is_asked_for_again_while_it_is_under_way_is_sent_twice(
    house: House, listener: Listener
) -> None:
    webhook, _ = await listener.subscribe()
    await end_a_run(house)
    under_way = await one(listener)
    await listener.redeliver(webhook.id, under_way.id)
    second = await one(listener)
    assert not await listener.say(under_way, ERROR)
    assert await listener.say(second, OK)
    [entry] = await listener.log(webhook.id)
    assert (entry.status, len(entry.tries)) == ("delivered", 2)


async def test_the_log_does_not_grow_for_ever(house: House, listener: Listener) -> None:
    webhook, _ = await listener.subscribe()
    for _ in range(3):
        await end_a_run(house)
    for outgoing in (await listener.take())[:2]:
        await listener.say(outgoing, OK)
    house.wait(3600)
    async with house.store.transaction() as transaction:
        now = await house.store.now(transaction)
        assert await prune(transaction, now, limit=1) == 1
        assert await prune(transaction, now, limit=5) == 1
        assert await prune(transaction, now, limit=5) == 0
    assert [each.status for each in await listener.log(webhook.id)] == ["pending"]


async def test_a_deleted_session_takes_what_was_said_of_it_along(
    house: House, listener: Listener
) -> None:
    await listener.subscribe()
    session, claim = await house.start()
    await house.answer(claim, "a secret")
    await listener.hear()
    await house.platform.sessions.delete(house.me, session.id)
    await house.platform.upkeep.sweep()
    assert await house.count(deliveries) == 0


@pytest.mark.parametrize("answer", [OK, ERROR])
async def test_a_deleted_session_that_expired_leaves_nothing_of_itself_behind(
    house: House, listener: Listener, answer: Answer
) -> None:
    await listener.subscribe()
    session = await house.session(expiry=Expiry(timeout_minutes=5), metadata={"a": "secret"})
    house.wait(301)
    await house.platform.upkeep.sweep()
    told = await one(listener)
    assert "secret" in told.body
    await listener.say(told, answer)
    await house.platform.sessions.delete(house.me, session.id)
    await house.platform.upkeep.sweep()
    left = await house.rows(sa.select(deliveries.c.body))
    assert [row.body for row in left] == ([] if answer is OK else [None])


async def test_what_is_still_to_be_said_of_a_deleted_session_is_less(
    house: House, listener: Listener
) -> None:
    await listener.subscribe()
    session, claim = await house.start()
    await house.answer(claim, "a secret")
    first = await one(listener)
    assert "a secret" in first.body
    await listener.say(first, ERROR)
    await house.platform.sessions.delete(house.me, session.id)
    await house.platform.upkeep.sweep()
    house.wait(10)
    second = await one(listener)
    assert second.id == first.id
    assert "a secret" not in second.body
