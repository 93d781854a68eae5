"""Waiters miss nothing, and any number of them costs one query."""

import asyncio
from collections.abc import Collection

import pytest

from shared.domain.errors import Unavailable
from shared.ids import RunId, SessionId, new_id
from shared.signals import Position, Signals, VersionPoller


def session() -> SessionId:
    return SessionId(new_id())


@pytest.fixture
def signals() -> Signals:
    return Signals()


async def test_a_signal_between_read_and_wait_is_not_missed(signals: Signals) -> None:
    session_id = session()
    with signals.subscribe(session_id) as subscription:
        signals.moved(session_id)
        assert await subscription.wait(0)


async def test_a_signal_wakes_every_waiter_of_the_session_and_no_other(signals: Signals) -> None:
    ours, others = session(), session()
    with (
        signals.subscribe(ours) as first,
        signals.subscribe(ours) as second,
        signals.subscribe(others) as third,
    ):
        waiting = asyncio.gather(first.wait(5), second.wait(5))
        await asyncio.sleep(0)
        signals.moved(ours)
        assert all(await waiting)
        assert not await third.wait(0)


async def test_each_signal_is_told_once(signals: Signals) -> None:
    session_id = session()
    with signals.subscribe(session_id) as subscription:
        signals.moved(session_id)
        signals.moved(session_id)
        assert await subscription.wait(0)
        assert not await subscription.wait(0)


async def test_what_a_run_says_wakes_only_who_reads_events(signals: Signals) -> None:
    session_id = session()
    with (
        signals.subscribe(session_id) as poller,
        signals.subscribe(session_id, events=True) as stream,
    ):
        signals.spoke(session_id)
        assert await stream.wait(0)
        assert not await poller.wait(0)
        signals.moved(session_id)
        assert await stream.wait(0)
        assert await poller.wait(0)


async def test_only_sessions_somebody_waits_for_are_watched(signals: Signals) -> None:
    session_id = session()
    signals.moved(session_id)
    with signals.subscribe(session_id), signals.subscribe(session_id):
        assert signals.watched == {session_id}
    assert signals.watched == set()


async def test_a_failing_cancel_listener_does_not_silence_the_others(signals: Signals) -> None:
    heard: list[RunId] = []

    def broken(_: RunId) -> None:
        raise RuntimeError

    signals.on_cancel(broken)
    stop = signals.on_cancel(heard.append)
    run_id = RunId(new_id())
    signals.cancel_requested(run_id)
    stop()
    signals.cancel_requested(RunId(new_id()))
    assert heard == [run_id]


class Versions:
    """The versions in the database, and how often somebody asked."""

    def __init__(self) -> None:
        self.stored: dict[SessionId, int] = {}
        self.events = 0
        self.asked: list[set[SessionId]] = []

    async def __call__(self, session_ids: Collection[SessionId]) -> dict[SessionId, Position]:
        self.asked.append(set(session_ids))
        known = (each for each in session_ids if each in self.stored)
        return {each: (self.stored[each], self.events) for each in known}


@pytest.fixture
def versions() -> Versions:
    return Versions()


async def test_a_thousand_waiters_are_one_query(signals: Signals, versions: Versions) -> None:
    session_id = session()
    versions.stored[session_id] = 2
    waiting = [asyncio.create_task(one_wait(signals, session_id, seen=1)) for _ in range(1000)]
    await asyncio.sleep(0)
    await VersionPoller(signals, versions).poll()
    assert all(await asyncio.gather(*waiting))
    assert versions.asked == [{session_id}]


async def one_wait(signals: Signals, session_id: SessionId, *, seen: int) -> bool:
    with signals.subscribe(session_id) as subscription:
        subscription.saw(seen)
        return await subscription.wait(5)


async def test_polling_wakes_only_for_a_version_not_seen(
    signals: Signals, versions: Versions
) -> None:
    session_id = session()
    poller = VersionPoller(signals, versions)
    versions.stored[session_id] = 7
    with signals.subscribe(session_id) as subscription:
        subscription.saw(7)
        await poller.poll()
        assert not await subscription.wait(0)
        versions.stored[session_id] = 8
        await poller.poll()
        assert await subscription.wait(0)
        await poller.poll()
        assert not await subscription.wait(0)


async def test_polling_tells_of_events_to_who_reads_them(
    signals: Signals, versions: Versions
) -> None:
    session_id = session()
    versions.stored[session_id] = 7
    poller = VersionPoller(signals, versions)
    with (
        signals.subscribe(session_id) as plain,
        signals.subscribe(session_id, events=True) as stream,
    ):
        await poller.poll()
        assert await plain.wait(0)
        assert await stream.wait(0)
        versions.events += 1
        await poller.poll()
        assert await stream.wait(0)
        assert not await plain.wait(0)
        versions.stored[session_id], versions.events = 8, 0
        await poller.poll()
        assert await stream.wait(0)
        assert await plain.wait(0)


async def test_a_waiter_that_has_seen_nothing_and_one_of_a_gone_session_are_woken(
    signals: Signals, versions: Versions
) -> None:
    stored, gone = session(), session()
    versions.stored[stored] = 1
    with signals.subscribe(stored) as unread, signals.subscribe(gone) as orphan:
        orphan.saw(3)
        await VersionPoller(signals, versions).poll()
        assert await unread.wait(0)
        assert await orphan.wait(0)


async def test_nobody_waiting_costs_no_query(signals: Signals, versions: Versions) -> None:
    await VersionPoller(signals, versions).poll()
    assert versions.asked == []


@pytest.mark.parametrize("failure", [Unavailable("away"), RuntimeError("a bug")])
async def test_polling_survives_a_query_that_fails(signals: Signals, failure: Exception) -> None:
    session_id = session()
    answers: list[Exception | dict[SessionId, Position]] = [failure, {session_id: (1, 0)}]

    async def versions(_: Collection[SessionId]) -> dict[SessionId, Position]:
        answer = answers.pop(0) if answers else {session_id: (1, 0)}
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def no_pause(_: float) -> None:
        await asyncio.sleep(0)

    polling = asyncio.create_task(VersionPoller(signals, versions, pause=no_pause).run())
    assert await one_wait(signals, session_id, seen=0)
    polling.cancel()
