"""The relay's link: a confirm channel, and what it has published."""

import asyncio
from collections.abc import Callable

from pika import BasicProperties, DeliveryMode, URLParameters
from pika.channel import Channel
from pika.frame import Method
from pika.spec import Basic

from shared.amqp import Link
from shared.dispatch.rabbitmq.window import Fate, Window
from shared.dispatch.topology import declarations


class ConfirmChannel(Link):
    """Tells of each message what became of it. Lost or blocked, it forgets what is under way."""

    def __init__(self, address: URLParameters, on_pressure: Callable[[], None]) -> None:
        self.window = Window()
        self._declared: set[str] = set()
        super().__init__(address, on_pressure)

    async def declare(self, queue: str) -> None:
        """Declare the queue and its dead letters, once; raises LinkLost, a refusal included."""
        if queue in self._declared:
            return
        for name, arguments in declarations(queue):
            await self.ask(
                self.channel.queue_declare, name, durable=True, arguments=dict(arguments)
            )
        self._declared.add(queue)

    def publish(self, queue: str, body: bytes) -> asyncio.Future[Fate]:
        """Send one persistent message; raises LinkLost, or AMQPError when pika saw it first."""
        channel = self.channel
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

    def prepare(self, channel: Channel, prepared: Callable[[object], None]) -> None:
        """Ask for confirms and returns."""
        channel.add_on_return_callback(self._returned)
        channel.confirm_delivery(self._answered, callback=prepared)

    def forget(self) -> None:
        """Nobody will say what became of the messages under way."""
        self.window.forget()

    def _answered(self, answer: "Method[Basic.Ack | Basic.Nack]") -> None:
        method = answer.method
        fate = Fate.CONFIRMED if isinstance(method, Basic.Ack) else Fate.LOST
        self.window.answer(method.delivery_tag, multiple=method.multiple, fate=fate)

    def _returned(
        self, _: Channel, method: Basic.Return, properties: BasicProperties, __: bytes
    ) -> None:
        self._declared.discard(str(method.routing_key))
        self.window.returned(int(properties.message_id or 0))
