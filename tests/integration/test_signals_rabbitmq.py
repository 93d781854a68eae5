"""Hints over a real RabbitMQ, and over connections that break."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from urllib.parse import urlsplit

import pika
import pytest
from pika.exceptions import ChannelClosedByBroker

from shared.domain.retry import RetryPolicy
from shared.ids import RunId, SessionId, new_id
from shared.signals import RabbitWire, Signals, Subscription
from tests.proxy import Proxy

QUICK = RetryPolicy(base_seconds=0.05, max_seconds=0.2)
SECONDS = 10.0


@pytest.fixture
def space(namespace: str) -> str:
    return f"{namespace}_{uuid.uuid4().hex[:8]}"


@pytest.fixture
def proxy(broker_url: str) -> Iterator[Proxy]:
    with Proxy(urlsplit(broker_url).port or 5672) as proxy:
        yield proxy


def through(proxy: Proxy, url: str) -> str:
    at = urlsplit(url)
    return at._replace(netloc=f"{at.username}:{at.password}@127.0.0.1:{proxy.port}").geturl()


@asynccontextmanager
async def process(url: str, space: str, linger: float = 0.0) -> AsyncIterator[Signals]:
    """The signals of one process, connected."""
    signals = Signals(RabbitWire(url, space, patience=QUICK, linger_seconds=linger))
    await signals.start()
    await connected(signals)
    yield signals
    await signals.close()


async def connected(signals: Signals, *, up: bool = True) -> None:
    async with asyncio.timeout(SECONDS):
        while signals.up is not up:  # noqa: ASYNC110  # nobody else asks, so nothing tells
            await asyncio.sleep(0)


async def caught_up(subscription: Subscription) -> None:
    """Once the topic is bound, whoever waits is told to look: that is how one knows."""
    assert await subscription.wait(SECONDS)
    assert not await subscription.wait(0)


@pytest.fixture
async def here(broker_url: str, space: str) -> AsyncIterator[Signals]:
    async with process(broker_url, space) as signals:
        yield signals


@pytest.fixture
async def there(broker_url: str, space: str) -> AsyncIterator[Signals]:
    async with process(broker_url, space) as signals:
        yield signals


def a_session() -> SessionId:
    return SessionId(new_id())


async def test_a_waiter_is_woken_from_another_process(here: Signals, there: Signals) -> None:
    session_id = a_session()
    with here.subscribe(session_id) as subscription:
        await caught_up(subscription)
        there.moved(session_id)
        assert await subscription.wait(SECONDS)


async def test_events_wake_only_who_reads_them(here: Signals, there: Signals) -> None:
    session_id = a_session()
    with (
        here.subscribe(session_id) as poller,
        here.subscribe(session_id, events=True) as stream,
    ):
        await caught_up(poller)
        await caught_up(stream)
        there.spoke(session_id)
        assert await stream.wait(SECONDS)
        assert not await poller.wait(0)


async def test_a_cancel_reaches_every_process_that_listens(here: Signals, there: Signals) -> None:
    heard: asyncio.Queue[RunId] = asyncio.Queue()
    there.on_cancel(heard.put_nowait)
    run_id, before = RunId(new_id()), RunId(new_id())
    async with asyncio.timeout(SECONDS):
        while heard.empty():  # its topic is bound at some moment after
            here.cancel_requested(before)
            await asyncio.sleep(0)
        here.cancel_requested(run_id)
        while await heard.get() != run_id:
            pass


async def test_a_torrent_of_hints_arrives(here: Signals, there: Signals) -> None:
    ids = [a_session() for _ in range(3000)]
    with ExitStack() as watching:
        subscriptions = [watching.enter_context(here.subscribe(each)) for each in ids]
        assert all(await asyncio.gather(*(each.wait(SECONDS) for each in subscriptions)))
        for each in ids:
            there.moved(each)
        assert all(await asyncio.gather(*(each.wait(SECONDS) for each in subscriptions)))


async def test_what_was_unbound_can_be_watched_again(here: Signals, there: Signals) -> None:
    session_id = a_session()
    for _ in range(3):
        with here.subscribe(session_id) as subscription:
            await caught_up(subscription)
            there.moved(session_id)
            assert await subscription.wait(SECONDS)
        for _ in range(3):
            await asyncio.sleep(0)  # it lingers for no time at all


async def test_a_new_connection_tells_every_waiter_to_look(
    broker_url: str, space: str, proxy: Proxy, there: Signals
) -> None:
    session_id = a_session()
    async with process(through(proxy, broker_url), space) as here:
        with here.subscribe(session_id) as subscription:
            await caught_up(subscription)
            for _ in range(3):
                proxy.cut()
                await caught_up(subscription)
                there.moved(session_id)
                assert await subscription.wait(SECONDS)


async def test_signals_without_a_broker_are_no_error(space: str) -> None:
    signals = Signals(RabbitWire("amqp://127.0.0.1:1/", space, patience=QUICK))
    await signals.start()
    session_id = a_session()
    with signals.subscribe(session_id) as subscription:
        assert not signals.up
        signals.moved(session_id)
        signals.cancel_requested(RunId(new_id()))
        assert await subscription.wait(0)
    await signals.close()


async def test_a_connection_that_breaks_is_no_error_for_who_sends(
    broker_url: str, space: str, proxy: Proxy
) -> None:
    async with process(through(proxy, broker_url), space) as signals:
        for _ in range(5):
            proxy.cut()
            for _ in range(100):
                signals.moved(a_session())
                await asyncio.sleep(0)
            await connected(signals, up=False)
            await connected(signals)


async def test_nothing_is_left_in_the_broker(broker_url: str, space: str) -> None:
    async with process(broker_url, space):
        await asyncio.to_thread(declared, broker_url, space)
    with pytest.raises(ChannelClosedByBroker, match="404"):
        await asyncio.to_thread(declared, broker_url, space)


def declared(url: str, space: str) -> None:
    connection = pika.BlockingConnection(pika.URLParameters(url))
    try:
        connection.channel().exchange_declare(f"{space}.signals", "topic", passive=True)
    finally:
        connection.close()
