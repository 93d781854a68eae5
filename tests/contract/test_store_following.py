"""Who follows runs, for how long, and what is gone one day."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Collection

import pytest

from shared.domain.errors import NotFound
from shared.domain.event import Event, OfRun, OfSession
from shared.domain.message import Reply
from shared.domain.outcome import Cancelled, Succeeded
from shared.domain.principal import DEFAULT_TENANT, Principal, Scope
from shared.ids import SessionId
from shared.signals import Position, VersionPoller
from shared.storage import events
from shared.storage.schema import run_events, runs
from shared.storage.sessions import positions
from tests.contract.storyteller import ending, feed_of, saying, story_of, texts, told, types
from tests.contract.test_store_feeds import a_long_story
from tests.platforms import House

YES = Succeeded(reply=Reply(content="yes"))
HOUR = 3600.0


async def test_deltas_go_when_their_run_is_long_over_and_nothing_else(house: House) -> None:
    session, claim = await house.start()
    await house.platform.execution.settle(ending(claim, YES, *"yes"))
    going_on = (await house.post(session)).run.id
    other = await house.claim(await house.worker(), going_on)
    await house.platform.execution.append(saying(other, "kept"))
    whole = await told(house, claim.run_id)
    kept = [event for event in whole if event.type != "message.delta"]

    async def prune(limit: int, *, before: float) -> int:
        async with house.store.transaction() as transaction:
            return await events.prune_deltas(transaction, await house.at(before), limit)

    assert await prune(100, before=-HOUR) == 0
    assert await prune(2, before=HOUR) == 2
    assert await prune(2, before=HOUR) == 1
    assert await prune(2, before=HOUR) == 0
    assert await told(house, claim.run_id) == kept
    assert texts(await told(house, going_on)) == ["kept"]
    for event in whole:  # a cursor that stands on what is gone still says where
        rest = await told(house, claim.run_id, str(event.position))
        assert rest == [each for each in kept if each.position > event.position]


async def test_who_may_not_see_a_run_does_not_hear_it(house: House) -> None:
    session, [first, *_] = await a_long_story(house)
    stranger = Principal(tenant=DEFAULT_TENANT, user_id="eve", scope=Scope.USER)
    with pytest.raises(NotFound):
        await house.platform.events.open(stranger, OfRun(first), None)
    with pytest.raises(NotFound):
        await house.platform.events.open(stranger, OfSession(session.id), None)


async def test_a_deleted_session_falls_silent(house: House) -> None:
    session, [first, *_] = await a_long_story(house)
    feeds = [await feed_of(house, first)]
    feeds.append(await house.platform.events.open(house.me, OfSession(session.id), None))
    await house.platform.sessions.delete(house.me, session.id)
    for feed in feeds:
        with pytest.raises(NotFound):
            await feed.read()
    while await house.count(runs):
        await house.platform.upkeep.sweep()
    assert await house.count(run_events) == 0


async def test_who_follows_hears_everything_once_as_it_comes(house: House) -> None:
    session, claim = await house.start()
    feed = await house.platform.events.open(house.me, OfSession(session.id), None)
    following = feed.follow()
    heard: list[Event] = []

    async def hear(pages: AsyncGenerator[tuple[Event, ...], None]) -> None:
        async with asyncio.timeout(10):
            heard.extend(await anext(pages))

    await house.platform.execution.append(saying(claim, "a"))
    await hear(following)
    hearing = asyncio.create_task(hear(following))
    await asyncio.sleep(0)
    await house.platform.execution.append(saying(claim, "b", start=3))
    await hearing
    await house.platform.execution.settle(ending(claim, Cancelled(), start=4))
    await hear(following)
    await following.aclose()
    assert heard == await story_of(house, session)
    assert house.platform.signals.watched == set()


async def test_a_backlog_is_read_without_waiting_for_a_signal(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.service.events.PAGE", 2)
    session, claim = await house.start()
    await house.platform.execution.settle(ending(claim, YES, *"yes"))
    feed = await house.platform.events.open(house.me, OfSession(session.id), None)
    async with asyncio.timeout(5), contextlib.aclosing(feed.follow()) as following:
        pages = [await anext(following) for _ in range(4)]
    assert [event for page in pages for event in page] == await story_of(house, session)


async def test_without_signals_a_stream_goes_on_by_polling(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    signals = house.platform.signals
    for kind in ("moved", "spoke"):
        monkeypatch.setattr(signals, kind, lambda _: None)

    async def positions_of(ids: Collection[SessionId]) -> dict[SessionId, Position]:
        async with house.store.reading() as reading:
            return await positions(reading, ids)

    poller = VersionPoller(signals, positions_of)
    session, claim = await house.start()
    feed = await house.platform.events.open(house.me, OfSession(session.id), None)
    following = feed.follow()

    async def hear() -> list[str]:
        hearing = asyncio.ensure_future(anext(following))
        while not hearing.done():
            await asyncio.sleep(0)
            await poller.poll()
        return types(list(hearing.result()))

    async with asyncio.timeout(10):
        await house.platform.execution.append(saying(claim, "a"))
        assert await hear() == ["run.started", "attempt.started", "message.delta"]
        await poller.poll()
        await house.platform.execution.append(saying(claim, "b", start=3))
        assert await hear() == ["message.delta"]
        await poller.poll()
        await house.platform.execution.settle(ending(claim, YES, start=4))
        assert await hear() == ["message.completed", "run.settled"]
    await following.aclose()


async def test_an_append_and_a_settle_at_once_tell_each_thing_once(house: House) -> None:
    """The settle carries what an append, unanswered, is still writing."""
    if house.store.sqlite:
        return  # one writer
    _, claim = await house.start()
    told_late = saying(claim, "a", "b")
    async with house.store.transaction() as transaction:
        assert await events.append(transaction, [told_late]) == [True]
        settling = asyncio.create_task(
            house.platform.execution.settle(ending(claim, YES, "a", "b"))
        )
        await house.until_somebody_waits_for_a_lock()
    assert (await settling).accepted
    assert texts(await told(house, claim.run_id)) == ["a", "b"]
    assert await house.count(run_events, run_events.c.run_id == claim.run_id) == 6
