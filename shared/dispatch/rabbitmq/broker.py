"""The workers' end of RabbitMQ: dramatiq's broker, with our queues and without delays."""

from dramatiq import Message
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from pika.adapters.blocking_connection import BlockingConnection

from shared.amqp import addresses
from shared.dispatch.rabbitmq.consumer import RabbitConsumer
from shared.dispatch.topology import declarations


class InturnRabbitmqBroker(RabbitmqBroker):
    """Connects when it is first used; workers add the middleware they want."""

    def __init__(self, url: str) -> None:
        super().__init__(url=url, middleware=[], confirm_delivery=True)
        self.parameters = addresses(url)

    def declare_queue(self, queue_name: str, *, ensure: bool = False) -> None:
        """Note a queue, and make it on the server if `ensure`; there is no delay queue."""
        if queue_name not in self.queues:
            self.emit_before("declare_queue", queue_name)
            self.queues.add(queue_name)
            self.queues_pending.add(queue_name)
            self.emit_after("declare_queue", queue_name)
        if ensure:
            self._ensure_queue(queue_name)  # type: ignore[no-untyped-call]

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 5000) -> RabbitConsumer:
        """Open a consumer on a connection of its own; raises dramatiq's ConnectionClosed."""
        self.declare_queue(queue_name)
        return RabbitConsumer(self._connect, queue_name, prefetch, timeout / 1000)

    def enqueue(self, message: Message[object], *, delay: int | None = None) -> Message[object]:
        """Publish one message and wait for the confirm. Delays are refused: SQL has them."""
        if delay is not None:
            reason = "due times live in SQL, not in the broker"
            raise ValueError(reason)
        return super().enqueue(message)

    def get_queue_message_counts(self, queue_name: str) -> tuple[int, int, int]:
        """Count the queue's messages: waiting, delayed (never any) and dead."""
        dead, waiting = (
            self.channel.queue_declare(name, passive=True).method.message_count
            for name, _ in declarations(queue_name)
        )
        return waiting, 0, dead

    def _connect(self) -> BlockingConnection:
        return BlockingConnection(self.parameters)

    def _declare_queue(self, queue_name: str) -> None:
        for name, arguments in declarations(queue_name):
            self.channel.queue_declare(name, durable=True, arguments=dict(arguments))

    def _declare_dq_queue(self, queue_name: str) -> None:
        """No message is ever delayed."""

    def _declare_xq_queue(self, queue_name: str) -> None:
        """`_declare_queue` has made it."""
