"""One channel on a connection of its own, from opening to loss; never used again."""

import asyncio
from collections.abc import Callable
from typing import Any

from pika import URLParameters
from pika.adapters.asyncio_connection import AsyncioConnection
from pika.channel import Channel
from pika.connection import Connection


class LinkLost(Exception):
    """The channel or its connection is gone."""


class Link:
    """Begins to open when made. Belongs to the running loop.

    `on_pressure` is called whenever `blocked` changes.
    """

    def __init__(
        self, address: URLParameters, on_pressure: Callable[[], None] = lambda: None
    ) -> None:
        loop = asyncio.get_running_loop()
        self.blocked = False
        self.lost: asyncio.Future[str] = loop.create_future()
        self._opened: asyncio.Future[object] = loop.create_future()
        self._closed: asyncio.Future[None] = loop.create_future()
        self._on_pressure = on_pressure
        self._channel: Channel | None = None
        self._connection = AsyncioConnection(
            address,
            on_open_callback=self._connected,
            on_open_error_callback=self._disconnected,
            on_close_callback=self._disconnected,
        )

    async def opened(self) -> None:
        """Return when the channel may be used; raises LinkLost."""
        await self._unless_lost(self._opened)

    @property
    def channel(self) -> Channel:
        """The open channel; raises LinkLost."""
        if self._channel is None or self.lost.done():
            raise LinkLost
        return self._channel

    @property
    def backlog(self) -> int:
        """How many bytes the network has not taken yet."""
        transport = self._connection._transport  # noqa: SLF001 - pika shows it nowhere else
        return 0 if transport is None else int(transport.get_write_buffer_size())

    async def ask(self, request: Callable[..., object], *args: object, **more: object) -> None:
        """Make a request of pika's that calls back, and wait for the answer; raises LinkLost."""
        answered: asyncio.Future[object] = asyncio.get_running_loop().create_future()

        def note(answer: object) -> None:
            if not answered.done():
                answered.set_result(answer)

        request(*args, callback=note, **more)
        await self._unless_lost(answered)

    def drop(self, reason: str) -> None:
        """Be lost from now on. A peer that does not answer is cut off by the missed heartbeats."""
        if not self.lost.done():
            self.lost.set_result(reason)
        self.forget()
        if not (self._connection.is_closing or self._connection.is_closed):
            self._connection.close()

    async def close(self, seconds: float) -> None:
        """Disconnect in good order, but wait no longer than this."""
        self.drop("closed")
        await asyncio.wait({self._closed}, timeout=seconds)

    def prepare(self, channel: Channel, prepared: Callable[[object], None]) -> None:
        """Say how the new channel is to behave, then call `prepared`."""
        del channel
        prepared(None)

    def forget(self) -> None:
        """Give up on what the broker was to answer: the link is lost, or its broker is stuck."""

    async def _unless_lost(self, done: asyncio.Future[object]) -> None:
        ends: set[asyncio.Future[Any]] = {done, self.lost}
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if self.lost.done():
            raise LinkLost(self.lost.result())

    def _connected(self, connection: Connection) -> None:
        connection.add_on_connection_blocked_callback(lambda *_: self._press(blocked=True))
        connection.add_on_connection_unblocked_callback(lambda *_: self._press(blocked=False))
        connection.channel(on_open_callback=self._channel_opened)

    def _channel_opened(self, channel: Channel) -> None:
        self._channel = channel
        channel.add_on_close_callback(lambda _, reason: self.drop(repr(reason)))
        self.prepare(channel, self._opened.set_result)

    def _disconnected(self, _: Connection, reason: BaseException) -> None:
        if not self._closed.done():
            self._closed.set_result(None)
        self.drop(repr(reason))

    def _press(self, *, blocked: bool) -> None:
        self.blocked = blocked
        if blocked:
            self.forget()
        self._on_pressure()
