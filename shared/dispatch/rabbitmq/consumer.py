"""A consumer that never settles what another connection delivered."""

import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Self

import structlog
from dramatiq import Message, MessageProxy
from dramatiq.broker import Consumer
from dramatiq.errors import ConnectionClosed, DecodeError
from pika.adapters.blocking_connection import BlockingConnection
from pika.exceptions import AMQPError

from shared.dispatch.topology import declarations

log = structlog.get_logger(__name__)


class Delivery(MessageProxy):
    """A message that knows who delivered it: tags start from 1 on every channel."""

    def __init__(self, message: Message[object], tag: int, consumer: "RabbitConsumer") -> None:
        super().__init__(message)
        self.tag = tag
        self.consumer = consumer


class RabbitConsumer(Consumer):
    """One connection, one channel, one queue. Iterated by one thread, settled from many."""

    def __init__(
        self,
        connect: Callable[[], BlockingConnection],
        queue_name: str,
        prefetch: int,
        seconds: float,
    ) -> None:
        try:
            self._connection = connect()
        except (AMQPError, OSError) as error:
            raise _closed(error) from None
        try:
            self._channel = self._connection.channel()
            for name, arguments in declarations(queue_name):
                self._channel.queue_declare(name, durable=True, arguments=dict(arguments))
            self._channel.basic_qos(prefetch_count=prefetch)
        except (AMQPError, OSError) as error:
            self.close()
            raise _closed(error) from None
        self._deliveries = self._channel.consume(queue_name, inactivity_timeout=seconds)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Delivery | None:
        """Return the next message, or None when the wait is over."""
        try:
            method, _, body = next(self._deliveries)
        except StopIteration:
            raise _closed(EOFError("the queue is gone")) from None
        # pika asserts where a connection dies under it.
        except (AMQPError, OSError, AssertionError) as error:
            raise _closed(error) from None
        if method is None or body is None:
            return None
        try:
            return Delivery(Message.decode(body), method.delivery_tag, self)
        except DecodeError:
            log.exception("announcement_unreadable")
            self._channel.basic_nack(method.delivery_tag, requeue=False)
            return None

    def ack(self, message: MessageProxy) -> None:
        """Settle a message; without its connection it is the broker's again, and that is fine."""
        self._settle(message, self._channel.basic_ack)

    def nack(self, message: MessageProxy) -> None:
        """Move a message to the dead letters."""
        self._settle(message, partial(self._channel.basic_nack, requeue=False))

    def close(self) -> None:
        """Send the settlements that threads still asked for, then disconnect; never raises."""
        try:
            flushed = threading.Event()
            self._connection.add_callback_threadsafe(flushed.set)
            while not flushed.is_set():
                self._connection.process_data_events(0)
        except Exception as error:  # noqa: BLE001 - dramatiq ends the consumer's thread for good if this raises
            log.debug("consumer_flush_failed", reason=repr(error))
        with suppress(Exception):
            self._connection.close()

    def _settle(self, message: MessageProxy, settle: Callable[[int], None]) -> None:
        # Raising would make dramatiq try again every five seconds, for ever: the message is
        # delivered once more anyway, and its claim is refused.
        if not isinstance(message, Delivery) or message.consumer is not self:
            log.info("stale_delivery", message_id=message.message_id)
            return
        try:
            self._connection.add_callback_threadsafe(partial(settle, message.tag))
        except (AMQPError, OSError) as error:
            log.info("stale_delivery", message_id=message.message_id, reason=repr(error))


def _closed(error: Exception) -> ConnectionClosed:
    # dramatiq has no annotation there.
    return ConnectionClosed(error)  # type: ignore[no-untyped-call]
