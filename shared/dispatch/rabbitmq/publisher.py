"""The relay's end of RabbitMQ: one connection, opened again for ever, one confirm channel."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import cycle

import structlog
from pika import URLParameters
from pika.exceptions import AMQPError

from shared.clock import monotonic
from shared.dispatch.rabbitmq.channel import ChannelLost, ConfirmChannel
from shared.dispatch.rabbitmq.window import Fate
from shared.dispatch.relay import BrokerState
from shared.dispatch.topology import addresses, encode, queue_name
from shared.domain.execution import Announcement
from shared.domain.retry import RetryPolicy, backoff
from shared.telemetry import ANNOUNCED

log = structlog.get_logger(__name__)

_PATIENCE = RetryPolicy(base_seconds=0.2, max_seconds=5.0)
_OPENING_SECONDS = 30.0
_CLOSING_SECONDS = 2.0
_STEADY_SECONDS = 10.0  # a connection that lasted this long starts the backoff afresh

Sent = list[tuple[Announcement, asyncio.Future[Fate]]]


class RabbitPublisher:
    """Publishes announcements and reports those that the broker confirmed."""

    def __init__(
        self,
        url: str,
        namespace: str,
        *,
        confirm_seconds: float = 10.0,
        patience: RetryPolicy = _PATIENCE,
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
            except (AMQPError, ChannelLost) as error:
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
        setbacks = 0
        for address in cycle(self._addresses):
            began = monotonic()
            reason = await self._hold(address)
            setbacks = 1 if monotonic() - began > _STEADY_SECONDS else setbacks + 1
            seconds = backoff(self._patience, setbacks, self._uniform)
            log.warning("broker_down", host=address.host, reason=reason, retry_seconds=seconds)
            await asyncio.sleep(seconds)

    async def _hold(self, address: URLParameters) -> str:
        """Keep one connection until it is lost, and return why it was."""
        channel = ConfirmChannel(address, self._notice)
        try:
            async with asyncio.timeout(_OPENING_SECONDS):
                await channel.opened()
            self._channel = channel
            self._notice()
            log.info("broker_up", host=address.host)
            await asyncio.wait({channel.lost})
            return channel.lost.result()
        except ChannelLost as error:
            return str(error)
        except TimeoutError:
            return f"not open after {_OPENING_SECONDS} s"
        except Exception as error:
            log.exception("broker_connection_failed")
            return repr(error)
        finally:
            self._channel = None
            self._notice()
            await channel.close(_CLOSING_SECONDS)

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
