"""Hints over RabbitMQ: a topic exchange, and a queue of its own for each process.

Nothing is confirmed, kept or repeated. What cannot leave now is dropped.
"""

import asyncio
from contextlib import suppress

import structlog
from pika import BasicProperties
from pika.channel import Channel
from pika.exceptions import AMQPError
from pika.spec import Basic

from shared.amqp import PATIENCE, Link, LinkLost, addresses, keep_open
from shared.domain.retry import RetryPolicy
from shared.ids import SessionId, new_id
from shared.signals.hints import CANCELS, Hint, Kind, decode, encode, topic_of
from shared.signals.wire import Hear
from shared.telemetry import SIGNALS

log = structlog.get_logger(__name__)

_MOST_AT_ONCE = 10_000
_MOST_BACKLOG = 1 << 20
_QUEUE = {"x-max-length": 10_000, "x-overflow": "drop-head"}
# The first hint leaves at the end of the loop's turn; a torrent of them in messages so far apart.
_LULL_SECONDS = 0.005


class RabbitWire:
    """One link for both ways; belongs to the loop that starts it.

    A process binds the topics of sessions that somebody watches in it, and keeps them a while
    after: the next long poll of a session usually follows at once.
    """

    def __init__(
        self,
        url: str,
        namespace: str,
        *,
        patience: RetryPolicy = PATIENCE,
        linger_seconds: float = 30.0,
    ) -> None:
        self._addresses = addresses(url)
        self._exchange = f"{namespace}.signals"
        self._patience = patience
        self._linger_seconds = linger_seconds
        self._name = ""
        self._link: Link | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._hear: Hear = lambda _: None
        self._followed: dict[str, set[SessionId | None]] = {}
        self._bound: set[str] = set()
        self._lingering: set[str] = set()
        self._waiting: dict[Hint, None] = {}  # in order, once each
        self._flushed_at = float("-inf")

    @property
    def up(self) -> bool:
        """Connected, and the broker takes what we send."""
        return self._link is not None and not self._link.blocked

    async def start(self, hear: Hear) -> None:
        """Begin to connect; returns at once."""
        self._hear = hear
        kept = keep_open(self._addresses, Link, self._use, what="signals", patience=self._patience)
        self._keeper = asyncio.create_task(kept, name="rabbitmq-signals")

    async def close(self) -> None:
        """Send what waits, and disconnect for good."""
        if self._waiting:
            self._flush()
        if self._keeper is not None:
            self._keeper.cancel()
            with suppress(asyncio.CancelledError):
                await self._keeper

    def send(self, hint: Hint) -> None:
        """Let a hint leave with others of this moment."""
        if self._link is None or len(self._waiting) >= _MOST_AT_ONCE:
            SIGNALS.labels("dropped").inc()
            return
        if not self._waiting:
            loop = asyncio.get_running_loop()
            loop.call_at(max(loop.time(), self._flushed_at + _LULL_SECONDS), self._flush)
        self._waiting[hint] = None

    def follow(self, subject: SessionId | None) -> None:
        """Bind the subject's topic, if nobody has."""
        topic = _topic(subject)
        self._followed.setdefault(topic, set()).add(subject)
        if self._link is not None and topic not in self._bound:
            self._bind(self._link, topic)

    def leave(self, subject: SessionId | None) -> None:
        """Unbind the topic in a while, if nobody has come until then."""
        topic = _topic(subject)
        self._followed[topic].discard(subject)
        if not self._followed[topic] and topic not in self._lingering:
            self._lingering.add(topic)
            asyncio.get_running_loop().call_later(self._linger_seconds, self._unbind, topic)

    async def _use(self, link: Link) -> None:
        self._name = f"{self._exchange}.{new_id().hex}"
        await self._declare(link)
        self._link = link
        try:
            for topic in tuple(self._followed):
                self._bind(link, topic)
            await asyncio.wait({link.lost})
        finally:
            self._link = None
            self._bound.clear()
            self._waiting.clear()

    async def _declare(self, link: Link) -> None:
        channel, exchange, queue = link.channel, self._exchange, self._name
        await link.ask(channel.exchange_declare, exchange, "topic", auto_delete=True)
        await link.ask(
            channel.queue_declare, queue, exclusive=True, auto_delete=True, arguments=_QUEUE
        )
        # The exchange goes with its last binding, so that a namespace leaves nothing behind; it
        # must not go while somebody sends.
        await link.ask(channel.queue_bind, queue, exchange, queue)
        await link.ask(channel.basic_consume, queue, self._receive, auto_ack=True)

    def _bind(self, link: Link, topic: str) -> None:
        def bound(_: object) -> None:
            # What was said before this moment has not reached us.
            for subject in tuple(self._followed.get(topic, ())):
                if subject is not None:
                    self._hear(Hint(Kind.MOVED, subject))

        self._bound.add(topic)
        with suppress(LinkLost, AMQPError):
            link.channel.queue_bind(self._name, self._exchange, topic, callback=bound)

    def _unbind(self, topic: str) -> None:
        self._lingering.discard(topic)
        if self._followed.get(topic):
            return
        self._followed.pop(topic, None)
        if self._link is not None and topic in self._bound:
            self._bound.discard(topic)
            with suppress(LinkLost, AMQPError):
                self._link.channel.queue_unbind(self._name, self._exchange, topic, callback=_noted)

    def _flush(self) -> None:
        hints, self._waiting = self._waiting, {}
        self._flushed_at = asyncio.get_running_loop().time()
        sent = bool(hints) and self._publish(hints)
        SIGNALS.labels("sent" if sent else "dropped").inc(len(hints))

    def _publish(self, hints: dict[Hint, None]) -> bool:
        link = self._link
        if link is None or link.blocked or link.backlog > _MOST_BACKLOG:
            return False
        topic, *others = {hint.topic: None for hint in hints}
        # RabbitMQ routes by these, too, once to each queue, and takes them off the message.
        headers = {"BCC": others} if others else None
        properties = BasicProperties(app_id=self._name, headers=headers)
        try:
            link.channel.basic_publish(self._exchange, topic, encode(hints), properties)
        except (LinkLost, AMQPError):
            return False
        return True

    def _receive(
        self, _: Channel, __: Basic.Deliver, properties: BasicProperties, body: bytes
    ) -> None:
        if properties.app_id == self._name:
            return  # everybody here was told before it was sent
        SIGNALS.labels("heard").inc()
        for hint in decode(body):
            self._hear(hint)


def _topic(subject: SessionId | None) -> str:
    return CANCELS if subject is None else topic_of(subject)


def _noted(_: object) -> None:
    """An answer that changes nothing."""
