"""The broker inside one process: bounded, in memory, and as forgetful as a broker may be."""

import threading
from collections import deque
from collections.abc import Sequence
from queue import Empty, Full, Queue

from dramatiq import Broker, Message, MessageProxy
from dramatiq.broker import Consumer
from dramatiq.errors import QueueNotFound

from shared.dispatch.relay import BrokerState
from shared.dispatch.topology import message, queue_name
from shared.domain.execution import Announcement
from shared.telemetry import ANNOUNCED

_DEAD_LETTERS = 1_000


class QueueBoundReached(Exception):
    """The queue is full; the run stays ready and is announced again."""


class EmbeddedBroker(Broker):
    """A `dramatiq.Broker` on bounded queues; no delays, no middleware of its own."""

    def __init__(self, *, capacity: int = 10_000) -> None:
        super().__init__(middleware=[])
        self.queues: dict[str, Queue[Message[object]]] = {}
        self.dead_letters: deque[Message[object]] = deque(maxlen=_DEAD_LETTERS)
        self._capacity = capacity
        self._declaring = threading.Lock()

    def declare_queue(self, queue_name: str) -> None:
        """Make the queue unless it is there; a running worker starts to consume it."""
        with self._declaring:
            if queue_name in self.queues:
                return
            self.queues[queue_name] = Queue(self._capacity)
        self.emit_before("declare_queue", queue_name)
        self.emit_after("declare_queue", queue_name)

    def enqueue(self, message: Message[object], *, delay: int | None = None) -> Message[object]:
        """Put a message on its queue; or raise QueueBoundReached. No delays: SQL has them."""
        if delay is not None:
            reason = "due times live in SQL, not in the broker"
            raise ValueError(reason)
        self.emit_before("enqueue", message, delay)
        if not self.offer(message):
            raise QueueBoundReached(message.queue_name)
        self.emit_after("enqueue", message, delay)
        return message

    def offer(self, message: Message[object]) -> bool:
        """Put a message on its queue if it fits; never blocks."""
        try:
            self._queue(message.queue_name).put_nowait(message)
        except Full:
            return False
        return True

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 1000) -> Consumer:
        """Open a consumer that waits at most `timeout` milliseconds for each message."""
        return EmbeddedConsumer(self, self._queue(queue_name), prefetch, timeout / 1000)

    def flush(self, queue_name: str) -> None:
        """Drop what waits in the queue."""
        queue = self._queue(queue_name)
        with queue.mutex:
            queue.queue.clear()

    def flush_all(self) -> None:
        """Drop what waits in any queue."""
        for name in tuple(self.queues):
            self.flush(name)

    def _queue(self, name: str) -> Queue[Message[object]]:
        try:
            return self.queues[name]
        except KeyError:
            raise QueueNotFound(name) from None  # type: ignore[no-untyped-call]


class EmbeddedConsumer(Consumer):
    """Hands out messages; those not acknowledged when it closes go back to the queue."""

    def __init__(
        self,
        broker: EmbeddedBroker,
        queue: Queue[Message[object]],
        prefetch: int,
        seconds: float,
    ) -> None:
        self._broker = broker
        self._queue = queue
        self._seconds = seconds
        self._room = threading.Semaphore(prefetch)
        self._held: dict[int, MessageProxy] = {}

    def __next__(self) -> MessageProxy | None:
        """Return the next message, or None when the wait is over."""
        if not self._room.acquire(timeout=self._seconds):
            return None
        try:
            delivery = MessageProxy(self._queue.get(timeout=self._seconds))
        except Empty:
            self._room.release()
            return None
        self._held[id(delivery)] = delivery
        return delivery

    def ack(self, message: MessageProxy) -> None:
        """Forget a message; one that another consumer handed out is none of ours."""
        if self._held.pop(id(message), None) is not None:
            self._room.release()

    def nack(self, message: MessageProxy) -> None:
        """Move a message to the dead letters."""
        if self._held.pop(id(message), None) is not None:
            self._broker.dead_letters.append(message._message)  # noqa: SLF001 - the proxy offers no other way
            self._room.release()

    def close(self) -> None:
        """Give back what is held; what no longer fits is announced again by the sweeper."""
        for key in tuple(self._held):
            delivery = self._held.pop(key, None)
            if delivery is None:
                continue  # acknowledged by its thread this very moment
            self._broker.offer(delivery._message)  # noqa: SLF001 - the proxy offers no other way


class EmbeddedPublisher:
    """Confirms exactly what fitted into the queues; always up."""

    def __init__(self, broker: EmbeddedBroker, namespace: str) -> None:
        self._broker = broker
        self._namespace = namespace

    @property
    def state(self) -> BrokerState:
        """Always up."""
        return BrokerState.UP

    async def start(self) -> None:
        """Nothing to connect to."""

    async def close(self) -> None:
        """Nothing to disconnect from."""

    async def ready(self) -> None:
        """Return at once."""

    async def publish(self, batch: Sequence[Announcement]) -> Sequence[Announcement]:
        """Return those that fitted."""
        confirmed = [each for each in batch if self._offer(each)]
        ANNOUNCED.labels("confirmed").inc(len(confirmed))
        ANNOUNCED.labels("lost").inc(len(batch) - len(confirmed))
        return confirmed

    def _offer(self, announcement: Announcement) -> bool:
        """Offer it where somebody in this process serves the pool; nobody else could."""
        queue = queue_name(self._namespace, announcement.pool)
        served = queue in self._broker.queues
        return served and self._broker.offer(message(announcement.run_id, queue))
