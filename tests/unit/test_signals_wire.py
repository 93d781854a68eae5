"""The hub and its wire: what is told to others, what is followed, and who polls meanwhile."""

from collections.abc import Collection

import pytest

from shared.ids import RunId, SessionId, new_id
from shared.signals import Position, Signals, VersionPoller
from shared.signals.hints import BUCKETS, Hint, Kind, decode, encode, topic_of
from shared.signals.wire import Hear

QUICK, SLOW = 0.5, 2.0


class FakeWire:
    """Keeps what it is told; a test speaks through `hear`."""

    def __init__(self) -> None:
        self.up = True
        self.sent: list[Hint] = []
        self.followed: list[SessionId | None] = []
        self.hear: Hear = lambda _: None

    async def start(self, hear: Hear) -> None:
        self.hear = hear

    async def close(self) -> None:
        self.up = False

    def send(self, hint: Hint) -> None:
        self.sent.append(hint)

    def follow(self, subject: SessionId | None) -> None:
        self.followed.append(subject)

    def leave(self, subject: SessionId | None) -> None:
        self.followed.remove(subject)


@pytest.fixture
def wire() -> FakeWire:
    return FakeWire()


@pytest.fixture
async def signals(wire: FakeWire) -> Signals:
    signals = Signals(wire)
    await signals.start()
    return signals


def session() -> SessionId:
    return SessionId(new_id())


async def test_what_happens_here_is_told_to_others(signals: Signals, wire: FakeWire) -> None:
    session_id, run_id = session(), RunId(new_id())
    signals.moved(session_id)
    signals.spoke(session_id)
    signals.cancel_requested(run_id)
    assert wire.sent == [
        Hint(Kind.MOVED, session_id),
        Hint(Kind.SPOKE, session_id),
        Hint(Kind.CANCEL, run_id),
    ]


async def test_what_is_heard_wakes_waiters_and_is_not_told_again(
    signals: Signals, wire: FakeWire
) -> None:
    session_id = session()
    with (
        signals.subscribe(session_id) as poller,
        signals.subscribe(session_id, events=True) as stream,
    ):
        wire.hear(Hint(Kind.SPOKE, session_id))
        assert await stream.wait(0)
        assert not await poller.wait(0)
        wire.hear(Hint(Kind.MOVED, session_id))
        assert await stream.wait(0)
        assert await poller.wait(0)
    assert wire.sent == []


async def test_a_cancel_that_is_heard_reaches_the_listeners(
    signals: Signals, wire: FakeWire
) -> None:
    heard: list[RunId] = []
    run_id = RunId(new_id())
    forget = signals.on_cancel(heard.append)
    wire.hear(Hint(Kind.CANCEL, run_id))
    forget()
    wire.hear(Hint(Kind.CANCEL, run_id))
    assert heard == [run_id]


async def test_only_what_somebody_waits_for_is_followed(signals: Signals, wire: FakeWire) -> None:
    first, second = session(), session()
    with signals.subscribe(first), signals.subscribe_all([first, second]):
        assert sorted(wire.followed, key=str) == sorted([first, second], key=str)
    assert wire.followed == []


async def test_only_a_process_that_listens_follows_cancels(
    signals: Signals, wire: FakeWire
) -> None:
    assert wire.followed == []
    forget = signals.on_cancel(lambda _: None)
    assert wire.followed == [None]
    forget()
    assert wire.followed == []


async def test_a_group_is_woken_by_any_of_its_sessions(signals: Signals) -> None:
    first, second = session(), session()
    with signals.subscribe_all([first, second]) as group:
        assert not await group.wait(0)
        signals.moved(second)
        assert await group.wait(0)
        assert not await group.wait(0)


def test_hints_survive_the_journey_and_strangers_are_passed_over() -> None:
    hints = [Hint(kind, new_id()) for kind in Kind]
    body = encode(hints)
    assert list(decode(body)) == hints
    assert list(decode(b"?" + bytes(16) + body + b"cut off")) == hints
    assert list(decode(b"")) == []


def test_a_sessions_hints_go_by_its_topic_and_cancels_by_one_of_their_own() -> None:
    session_id = session()
    assert Hint(Kind.MOVED, session_id).topic == topic_of(session_id)
    assert Hint(Kind.SPOKE, session_id).topic == topic_of(session_id)
    assert Hint(Kind.CANCEL, session_id).topic == "cancel"
    topics = {topic_of(session()) for _ in range(2000)}
    assert len(topics) == BUCKETS


class Table:
    """Positions in the database."""

    def __init__(self) -> None:
        self.version = 1

    async def __call__(self, asked: Collection[SessionId]) -> dict[SessionId, Position]:
        return dict.fromkeys(asked, (self.version, 0))


async def test_polling_is_slow_where_signals_arrive_and_quick_where_they_do_not(
    signals: Signals, wire: FakeWire
) -> None:
    poller = VersionPoller(signals, Table())
    assert poller.interval == SLOW
    wire.up = False
    assert poller.interval == QUICK


async def test_a_poll_that_found_what_no_signal_told_is_followed_by_quick_ones(
    signals: Signals,
) -> None:
    table, session_id = Table(), session()
    poller = VersionPoller(signals, table)
    with signals.subscribe(session_id) as subscription:
        subscription.saw(1)
        table.version = 2
        await poller.poll()
        assert await subscription.wait(0)
        assert poller.interval == QUICK
        quick = 0
        while poller.interval == QUICK:
            await poller.poll()
            quick += 1
        assert quick == 60


async def test_a_poll_that_comes_after_the_signal_changes_nothing(signals: Signals) -> None:
    table, session_id = Table(), session()
    poller = VersionPoller(signals, table)
    with signals.subscribe(session_id) as subscription:
        subscription.saw(1)
        table.version = 2
        signals.moved(session_id)
        await poller.poll()
    assert poller.interval == SLOW
