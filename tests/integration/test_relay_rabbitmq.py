"""Relay and workers over connections that break, and over a RabbitMQ that goes away."""

import asyncio
import socket
import threading
import uuid
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from urllib.parse import urlsplit

import dramatiq
import pytest
from dramatiq import Worker, worker

from shared.dispatch.rabbitmq import InturnRabbitmqBroker, RabbitPublisher
from shared.dispatch.relay import BrokerState, Relay
from shared.dispatch.topology import ACTOR_NAME, queue_name
from shared.domain.execution import Announcement
from shared.domain.retry import RetryPolicy
from shared.ids import RunId, new_id
from tests.proxy import Proxy
from tests.servers import RabbitMQ

QUICK = RetryPolicy(base_seconds=0.05, max_seconds=0.2)
POOL = "default"


class Rows:
    """Rows that come back when they are released."""

    def __init__(self) -> None:
        self.ready: deque[Announcement] = deque()
        self.marked: set[str] = set()
        self._changed = asyncio.Condition()

    def add(self, count: int) -> set[str]:
        rows = announcements(count)
        self.ready.extend(rows)
        return {each.run_id.hex for each in rows}

    async def until_marked(self, run_ids: set[str]) -> None:
        async with asyncio.timeout(60), self._changed:
            await self._changed.wait_for(lambda: run_ids <= self.marked)

    async def take(self, _pool: str, limit: int) -> list[Announcement]:
        return [self.ready.popleft() for _ in range(min(limit, len(self.ready)))]

    async def mark(self, announced: Sequence[Announcement]) -> None:
        self.marked.update(each.run_id.hex for each in announced)
        async with self._changed:
            self._changed.notify_all()

    async def release(self, untaken: Sequence[Announcement]) -> None:
        self.ready.extend(untaken)


def announcements(count: int) -> list[Announcement]:
    return [
        Announcement(run_id=RunId(new_id()), pool=POOL, fence=0, announce_count=0)
        for _ in range(count)
    ]


@pytest.fixture
def own_namespace(namespace: str, queues: set[str]) -> str:
    """A namespace whose queues no other test has."""
    own = f"{namespace}_{uuid.uuid4().hex[:8]}"
    queue = queue_name(own, POOL)
    queues.update({queue, f"{queue}.XQ"})
    return own


@pytest.fixture
def proxy(broker_url: str) -> Iterator[Proxy]:
    with Proxy(urlsplit(broker_url).port or 5672) as proxy:
        yield proxy


def through(proxy: Proxy, url: str) -> str:
    at = urlsplit(url)
    return at._replace(netloc=f"{at.username}:{at.password}@127.0.0.1:{proxy.port}").geturl()


@asynccontextmanager
async def publishing(
    url: str, namespace: str, confirm_seconds: float = 10
) -> AsyncIterator[RabbitPublisher]:
    publisher = RabbitPublisher(url, namespace, confirm_seconds=confirm_seconds, patience=QUICK)
    await publisher.start()
    yield publisher
    await publisher.close()


@asynccontextmanager
async def relaying(rows: Rows, publisher: RabbitPublisher) -> AsyncIterator[Relay]:
    relay = Relay(rows, publisher, batch_size=50, patience=QUICK)
    task = asyncio.create_task(relay.run())
    yield relay
    task.cancel()


async def ready(publisher: RabbitPublisher) -> None:
    async with asyncio.timeout(60):
        await publisher.ready()


async def test_everything_is_announced_over_a_connection_that_keeps_breaking(
    broker_url: str, proxy: Proxy, own_namespace: str
) -> None:
    rows = Rows()
    async with (
        publishing(through(proxy, broker_url), own_namespace) as publisher,
        relaying(rows, publisher) as relay,
    ):
        for _ in range(5):
            run_ids = rows.add(200)
            relay.poke([POOL])
            await ready(publisher)
            proxy.cut()
            await rows.until_marked(run_ids)


async def test_a_silent_broker_does_not_hold_publish(
    broker_url: str, proxy: Proxy, own_namespace: str
) -> None:
    async with publishing(through(proxy, broker_url), own_namespace, 0.2) as publisher:
        await ready(publisher)
        assert len(await publisher.publish(announcements(1))) == 1
        proxy.fall_silent()
        assert await publisher.publish(announcements(1)) == []
        assert publisher.state is BrokerState.DOWN
        proxy.speak()
        proxy.cut()
        await ready(publisher)
        assert len(await publisher.publish(announcements(1))) == 1


async def test_a_window_smaller_than_the_batch_slides(broker_url: str, own_namespace: str) -> None:
    async with publishing(broker_url, own_namespace) as publisher:
        await ready(publisher)
        assert len(await publisher.publish(announcements(2_500))) == 2_500


async def test_an_unreachable_broker_is_down_and_takes_nothing(own_namespace: str) -> None:
    async with publishing("amqp://127.0.0.1:1/", own_namespace) as publisher:
        assert publisher.state is BrokerState.DOWN
        assert await publisher.publish(announcements(1)) == []


async def test_a_server_that_says_nothing_does_not_hold_close(own_namespace: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.setblocking(False)
        url = f"amqp://127.0.0.1:{silent.getsockname()[1]}/"
        async with asyncio.timeout(10), publishing(url, own_namespace) as publisher:
            client, _ = await asyncio.get_running_loop().sock_accept(silent)
            assert publisher.state is BrokerState.DOWN
        client.close()


class Admitted:
    """What the actor was called with; the loop waits for it."""

    def __init__(self) -> None:
        self.run_ids: set[str] = set()
        self._changed = threading.Condition()

    def add(self, run_id: str) -> None:
        with self._changed:
            self.run_ids.add(run_id)
            self._changed.notify_all()

    async def until(self, run_ids: set[str]) -> None:
        assert await asyncio.to_thread(self._wait, run_ids)

    def _wait(self, run_ids: set[str]) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: run_ids <= self.run_ids, timeout=60)


@contextmanager
def admitting(url: str, namespace: str) -> Iterator[Admitted]:
    admitted = Admitted()
    broker = InturnRabbitmqBroker(url)
    queue = queue_name(namespace, POOL)
    dramatiq.actor(actor_name=ACTOR_NAME, queue_name=queue, broker=broker)(admitted.add)
    working = Worker(broker, worker_timeout=100, worker_threads=4)
    working.start()
    yield admitted
    working.stop()
    broker.close()


async def test_relay_and_workers_go_on_when_rabbitmq_is_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker, "CONSUMER_RESTART_DELAY_SECS", 0.2)
    rows = Rows()
    with RabbitMQ() as server, admitting(server.url, "inturn") as admitted:
        async with (
            publishing(server.url, "inturn") as publisher,
            relaying(rows, publisher) as relay,
        ):
            before = rows.add(100)
            relay.poke([POOL])
            await admitted.until(before)
            await asyncio.to_thread(server.stop)
            while_away = rows.add(100)
            relay.poke([POOL])
            await asyncio.to_thread(server.start)
            await rows.until_marked(while_away)
            await admitted.until(while_away)
