"""One confirm channel on a connection of its own, from opening to loss; never used again."""

import asyncio
from collections.abc import Callable
from typing import Any

from pika import BasicProperties, DeliveryMode, URLParameters
from pika.adapters.asyncio_connection import AsyncioConnection
from pika.channel import Channel
from pika.connection import Connection
from pika.frame import Method
from pika.spec import Basic

from shared.dispatch.rabbitmq.window import Fate, Window
from shared.dispatch.topology import declarations


class ChannelLost(Exception):
    """The channel or its connection is gone."""


class ConfirmChannel:
    """Begins to open when made. Belongs to the running loop.

    `on_pressure` is called whenever `blocked` changes.
    """

    def __init__(self, address: URLParameters, on_pressure: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        self.window = Window()
        self.blocked = False
        self.lost: asyncio.Future[str] = loop.create_future()
        self._opened: asyncio.Future[object] = loop.create_future()
        self._closed: asyncio.Future[None] = loop.create_future()
        self._on_pressure = on_pressure
        self._declared: set[str] = set()
        self._channel: Channel | None = None
        self._connection = AsyncioConnection(
            address,
            on_open_callback=self._connected,
            on_open_error_callback=self._disconnected,
            on_close_callback=self._disconnected,
        )

    async def opened(self) -> None:
        """Return when the broker is ready to confirm; raises ChannelLost."""
        await self._unless_lost(self._opened)

    async def declare(self, queue: str) -> None:
        """Declare the queue and its dead letters, once; raises ChannelLost, a refusal included."""
        if queue in self._declared:
            return
        for name, arguments in declarations(queue):
            declared: asyncio.Future[object] = asyncio.get_running_loop().create_future()
            self._open_channel().queue_declare(
                name, durable=True, arguments=dict(arguments), callback=declared.set_result
            )
            await self._unless_lost(declared)
        self._declared.add(queue)

    def publish(self, queue: str, body: bytes) -> asyncio.Future[Fate]:
        """Send one persistent message; raises ChannelLost, or AMQPError when pika saw it first."""
        channel = self._open_channel()
        tag, fate = self.window.add(len(body))
        channel.basic_publish(
            exchange="",
            routing_key=queue,
            body=body,
            # A returned message carries no delivery tag, so it carries ours.
            properties=BasicProperties(
                delivery_mode=DeliveryMode.Persistent.value, message_id=str(tag)
            ),
            mandatory=True,
        )
        return fate

    def drop(self, reason: str) -> None:
        """Be lost from now on. A peer that does not answer is cut off by the missed heartbeats."""
        if not self.lost.done():
            self.lost.set_result(reason)
        self.window.forget()
        if not (self._connection.is_closing or self._connection.is_closed):
            self._connection.close()

    async def close(self, seconds: float) -> None:
        """Disconnect in good order, but wait no longer than this."""
        self.drop("closed")
        await asyncio.wait({self._closed}, timeout=seconds)

    def _open_channel(self) -> Channel:
        if self._channel is None or self.lost.done():
            raise ChannelLost
        return self._channel

    async def _unless_lost(self, done: asyncio.Future[object]) -> None:
        ends: set[asyncio.Future[Any]] = {done, self.lost}
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if self.lost.done():
            raise ChannelLost(self.lost.result())

    def _connected(self, connection: Connection) -> None:
        connection.add_on_connection_blocked_callback(lambda *_: self._press(blocked=True))
        connection.add_on_connection_unblocked_callback(lambda *_: self._press(blocked=False))
        connection.channel(on_open_callback=self._channel_opened)

    def _channel_opened(self, channel: Channel) -> None:
        self._channel = channel
        channel.add_on_close_callback(lambda _, reason: self.drop(repr(reason)))
        channel.add_on_return_callback(self._returned)
        channel.confirm_delivery(self._answered, callback=self._opened.set_result)

    def _disconnected(self, _: Connection, reason: BaseException) -> None:
        if not self._closed.done():
            self._closed.set_result(None)
        self.drop(repr(reason))

    def _press(self, *, blocked: bool) -> None:
        self.blocked = blocked
        if blocked:
            self.window.forget()
        self._on_pressure()

    def _answered(self, answer: "Method[Basic.Ack | Basic.Nack]") -> None:
        method = answer.method
        fate = Fate.CONFIRMED if isinstance(method, Basic.Ack) else Fate.LOST
        self.window.answer(method.delivery_tag, multiple=method.multiple, fate=fate)

    def _returned(
        self, _: Channel, method: Basic.Return, properties: BasicProperties, __: bytes
    ) -> None:
        self._declared.discard(str(method.routing_key))
        self.window.returned(int(properties.message_id or 0))
