"""The relay's end of RabbitMQ: one connection, opened again for ever, one confirm channel."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress

from pika.exceptions import AMQPError

from shared.amqp import PATIENCE, LinkLost, addresses, keep_open
from shared.dispatch.rabbitmq.channel import ConfirmChannel
from shared.dispatch.rabbitmq.window import Fate
from shared.dispatch.relay import BrokerState
from shared.dispatch.topology import encode, queue_name
from shared.domain.execution import Announcement
from shared.domain.retry import RetryPolicy
from shared.telemetry import ANNOUNCED

Sent = list[tuple[Announcement, asyncio.Future[Fate]]]


class RabbitPublisher:
    """Publishes announcements and reports those that the broker confirmed."""

    def __init__(
        self,
        url: str,
        namespace: str,
        *,
        confirm_seconds: float = 10.0,
        patience: RetryPolicy = PATIENCE,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._addresses = addresses(url)
        self._namespace = namespace
        self._confirm_seconds = confirm_seconds
        self._patience = patience
        self._uniform = uniform
        self._channel: ConfirmChannel | None = None
        self._up = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None

    @property
    def state(self) -> BrokerState:
        """Whether it is worth taking rows now."""
        if self._channel is None or self._channel.lost.done():
            return BrokerState.DOWN
        return BrokerState.BLOCKED if self._channel.blocked else BrokerState.UP

    async def start(self) -> None:
        """Begin to connect; returns at once, so that a process starts without its broker."""
        self._keeper = asyncio.create_task(self._keep_open(), name="rabbitmq-publisher")

    async def close(self) -> None:
        """Disconnect for good."""
        if self._keeper is not None:
            self._keeper.cancel()
            with suppress(asyncio.CancelledError):
                await self._keeper

    async def ready(self) -> None:
        """Return as soon as the state is `up`."""
        self._notice()  # a loss is known a moment before its callback has run
        while not self._up.is_set():
            await self._up.wait()
            self._notice()

    async def publish(self, batch: Sequence[Announcement]) -> Sequence[Announcement]:
        """Return the confirmed ones; the rest is unknown, and nobody waits for it any more."""
        channel, sent = self._channel, Sent()
        if channel is not None and self.state is BrokerState.UP:
            try:
                async with asyncio.timeout(self._confirm_seconds):
                    await self._send(channel, batch, sent)
                    await asyncio.gather(*(fate for _, fate in sent))
            except TimeoutError:
                channel.drop(f"no confirm for {self._confirm_seconds} s")
            except (AMQPError, LinkLost) as error:
                channel.drop(repr(error))
        return _confirmed(batch, sent)

    async def _send(
        self, channel: ConfirmChannel, batch: Sequence[Announcement], sent: Sent
    ) -> None:
        for announcement in batch:
            queue = queue_name(self._namespace, announcement.pool)
            await channel.declare(queue)
            await channel.window.room()
            if channel.blocked:
                return
            sent.append((announcement, channel.publish(queue, encode(announcement.run_id, queue))))

    async def _keep_open(self) -> None:
        await keep_open(
            self._addresses,
            lambda address: ConfirmChannel(address, self._notice),
            self._use,
            what="announcements",
            patience=self._patience,
            uniform=self._uniform,
        )

    async def _use(self, channel: ConfirmChannel) -> None:
        self._channel = channel
        self._notice()
        try:
            await asyncio.wait({channel.lost})
        finally:
            self._channel = None
            self._notice()

    def _notice(self) -> None:
        if self.state is BrokerState.UP:
            self._up.set()
        else:
            self._up.clear()


def _confirmed(batch: Sequence[Announcement], sent: Sent) -> Sequence[Announcement]:
    fates = Counter({Fate.LOST: len(batch) - len(sent)})
    confirmed = []
    for announcement, promise in sent:
        fate = promise.result() if promise.done() and not promise.cancelled() else Fate.LOST
        fates[fate] += 1
        if fate is Fate.CONFIRMED:
            confirmed.append(announcement)
    for fate, count in fates.items():
        ANNOUNCED.labels(fate.value).inc(count)
    return confirmed
