"""What any broker owes us, embedded or RabbitMQ: announce, consume, settle, give back."""

import asyncio
import threading
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import dramatiq
import pytest
from dramatiq import Broker, MessageProxy, Worker
from dramatiq.broker import Consumer

from shared.dispatch.embedded import EmbeddedBroker, EmbeddedPublisher
from shared.dispatch.rabbitmq import InturnRabbitmqBroker, RabbitPublisher
from shared.dispatch.relay import BrokerState, Publisher
from shared.dispatch.topology import ACTOR_NAME, queue_name
from shared.domain.execution import Announcement
from shared.ids import RunId, new_id

WAIT_MILLISECONDS = 10_000


class House:
    """One pool of its own in a broker, with both ends of it."""

    def __init__(self, broker: Broker, publisher: Publisher, namespace: str) -> None:
        self.broker = broker
        self.publisher = publisher
        self.pool = uuid.uuid4().hex
        self.queue = queue_name(namespace, self.pool)
        self._consumers: list[Consumer] = []

    async def announce(self, count: int) -> list[Announcement]:
        batch = announcements(self.pool, count)
        confirmed = await self.publisher.publish(batch)
        assert list(confirmed) == batch
        return batch

    async def consume(self, prefetch: int = 10, wait: int = WAIT_MILLISECONDS) -> Consumer:
        consumer = await asyncio.to_thread(self.broker.consume, self.queue, prefetch, wait)
        self._consumers.append(consumer)
        return consumer

    async def close(self) -> None:
        for consumer in self._consumers:
            await asyncio.to_thread(consumer.close)
        await self.publisher.close()
        self.broker.close()

    def dead_letter(self) -> bytes:
        """Wait for the oldest dead letter and take it."""
        if isinstance(self.broker, EmbeddedBroker):
            return self.broker.dead_letters.popleft().encode()
        assert isinstance(self.broker, InturnRabbitmqBroker)
        arriving = self.broker.channel.consume(f"{self.queue}.XQ", inactivity_timeout=10)
        _, _, body = next(arriving)
        return bytes(body)


def announcements(pool: str, count: int) -> list[Announcement]:
    return [
        Announcement(run_id=RunId(new_id()), pool=pool, fence=0, announce_count=0)
        for _ in range(count)
    ]


async def following(consumer: Consumer) -> MessageProxy:
    delivery = await asyncio.to_thread(next, consumer)
    assert delivery is not None
    return delivery


def run_id_of(delivery: MessageProxy) -> str:
    assert delivery.actor_name == ACTOR_NAME
    (run_id,) = delivery.args
    return str(run_id)


@pytest.fixture(params=["embedded", "rabbitmq"])
async def house(request: pytest.FixtureRequest, namespace: str) -> AsyncIterator[House]:
    if request.param == "embedded":
        embedded = EmbeddedBroker()
        house = House(embedded, EmbeddedPublisher(embedded, namespace), namespace)
        embedded.declare_queue(house.queue)
    else:
        house = rabbit_house(request, namespace)
    await house.publisher.start()
    await house.publisher.ready()
    yield house
    await house.close()


def rabbit_house(request: pytest.FixtureRequest, namespace: str) -> House:
    url = request.getfixturevalue("broker_url")
    house = House(InturnRabbitmqBroker(url), RabbitPublisher(url, namespace), namespace)
    request.getfixturevalue("queues").update({house.queue, f"{house.queue}.XQ"})
    return house


async def test_what_is_announced_is_delivered_in_order(house: House) -> None:
    batch = await house.announce(3)
    consumer = await house.consume()
    assert [run_id_of(await following(consumer)) for _ in batch] == [
        each.run_id.hex for each in batch
    ]


async def test_a_queue_may_be_consumed_before_anything_is_published(house: House) -> None:
    house.broker.declare_queue(house.queue)
    consumer = await house.consume()
    (announced,) = await house.announce(1)
    assert run_id_of(await following(consumer)) == announced.run_id.hex


async def test_what_is_acknowledged_is_gone(house: House) -> None:
    first, second = await house.announce(2)
    consumer = await house.consume(prefetch=1)
    delivery = await following(consumer)
    assert run_id_of(delivery) == first.run_id.hex
    consumer.ack(delivery)
    await asyncio.to_thread(consumer.close)
    again = await house.consume()
    assert run_id_of(await following(again)) == second.run_id.hex


async def test_what_is_not_acknowledged_comes_back_when_its_consumer_closes(house: House) -> None:
    (announced,) = await house.announce(1)
    consumer = await house.consume()
    await following(consumer)
    await asyncio.to_thread(consumer.close)
    again = await house.consume()
    assert run_id_of(await following(again)) == announced.run_id.hex


async def test_prefetch_bounds_what_is_held(house: House) -> None:
    await house.announce(2)
    consumer = await house.consume(prefetch=1, wait=100)
    delivery = await following(consumer)
    assert await asyncio.to_thread(next, consumer) is None
    consumer.ack(delivery)
    await following(consumer)


async def test_a_refused_message_is_a_dead_letter(house: House) -> None:
    (announced,) = await house.announce(1)
    consumer = await house.consume()
    consumer.nack(await following(consumer))
    await asyncio.to_thread(consumer.close)
    letter = await asyncio.to_thread(house.dead_letter)
    assert announced.run_id.hex.encode() in letter


async def test_an_old_delivery_settles_nothing_on_a_new_consumer(house: House) -> None:
    (announced,) = await house.announce(1)
    consumer = await house.consume()
    old = await following(consumer)
    await asyncio.to_thread(consumer.close)
    consumer.ack(old)
    second = await house.consume()
    await following(second)
    second.ack(old)
    second.nack(old)
    await asyncio.to_thread(second.close)
    third = await house.consume()
    assert run_id_of(await following(third)) == announced.run_id.hex


async def test_there_are_no_delays(house: House) -> None:
    house.broker.declare_queue(house.queue)
    assert house.broker.get_declared_delay_queues() == set()
    with pytest.raises(ValueError, match="SQL"):
        house.broker.enqueue(dramatiq.Message(house.queue, ACTOR_NAME, (), {}, {}), delay=1)


async def test_a_worker_admits_everything_once(house: House) -> None:
    with admitting(house) as admitted:
        batch = await house.announce(100)
        await asyncio.to_thread(admitted.wait_for, len(batch))
    assert sorted(admitted.run_ids) == sorted(each.run_id.hex for each in batch)


class Admitted:
    """What the actor was called with."""

    def __init__(self) -> None:
        self.run_ids: list[str] = []
        self._changed = threading.Condition()

    def add(self, run_id: str) -> None:
        with self._changed:
            self.run_ids.append(run_id)
            self._changed.notify_all()

    def wait_for(self, count: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.run_ids) >= count, timeout=30)


@contextmanager
def admitting(house: House) -> Iterator[Admitted]:
    admitted = Admitted()
    declare = dramatiq.actor(actor_name=ACTOR_NAME, queue_name=house.queue, broker=house.broker)
    declare(admitted.add)
    worker = Worker(house.broker, worker_timeout=50, worker_threads=4)
    worker.start()
    yield admitted
    worker.stop()


async def test_the_embedded_broker_confirms_what_fits() -> None:
    broker = EmbeddedBroker(capacity=2)
    broker.declare_queue("inturn.default")
    batch = announcements("default", 3)
    assert await EmbeddedPublisher(broker, "inturn").publish(batch) == batch[:2]


async def test_the_embedded_broker_takes_nothing_for_a_pool_that_nobody_serves() -> None:
    broker = EmbeddedBroker()
    broker.declare_queue("inturn.default")
    mixed = announcements("nobody", 1) + announcements("default", 1)
    assert await EmbeddedPublisher(broker, "inturn").publish(mixed) == mixed[1:]


async def test_rabbitmq_does_not_confirm_what_no_queue_took(
    request: pytest.FixtureRequest, namespace: str
) -> None:
    house = rabbit_house(request, namespace)
    await house.publisher.start()
    await house.publisher.ready()
    await house.announce(1)
    assert isinstance(house.broker, InturnRabbitmqBroker)
    house.broker.channel.queue_delete(house.queue)
    assert await house.publisher.publish(announcements(house.pool, 1)) == []
    assert house.publisher.state is BrokerState.UP
    await house.announce(1)
    await house.close()


async def test_rabbitmq_buries_what_cannot_be_read(
    request: pytest.FixtureRequest, namespace: str
) -> None:
    house = rabbit_house(request, namespace)
    consumer = await house.consume()
    assert isinstance(house.broker, InturnRabbitmqBroker)
    house.broker.channel.basic_publish("", house.queue, b"rubbish")
    assert await asyncio.to_thread(next, consumer) is None
    await asyncio.to_thread(consumer.close)
    assert await asyncio.to_thread(house.dead_letter) == b"rubbish"
    await house.close()
