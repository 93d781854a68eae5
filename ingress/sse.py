"""Server-sent events: the only streaming code, whatever a dialect streams.

One page is sent before the next is asked for, so that a slow client costs a page and no more.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import TypeAlias

from starlette.types import Receive, Scope, Send

from ingress.held import departure
from shared.clock import monotonic
from shared.domain.errors import InturnError, Unavailable

MEDIA_TYPE = "text/event-stream"
KEEP_ALIVE_SECONDS = 15.0
RETRY_MILLISECONDS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a contract streams: its headers, and what it says before the first event."""

    cache_control: str = "no-store"
    preamble: bytes = b"retry: %d\n\n" % RETRY_MILLISECONDS
    keep_alive: bytes = b": keep-alive\n\n"
    seconds: float = KEEP_ALIVE_SECONDS  # between two signs of life

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        return [
            (b"content-type", MEDIA_TYPE.encode()),
            (b"cache-control", self.cache_control.encode()),
            (b"x-accel-buffering", b"no"),
        ]


NATIVE = Manner()


@dataclass(frozen=True, slots=True)
class Frame:
    """One event: `data` is a line of text, as JSON is."""

    id: str | None
    event: str | None
    data: bytes


Pages: TypeAlias = AsyncGenerator[Iterable[Frame], None]


class EventStream:
    """An ASGI response that sends pages of frames until they end or the client leaves.

    `welcome` is asked now and then, and ends the stream by an error of the domain: a stream
    outlives the look at its credential. Where pages end by one, the client is to come back;
    `farewell` prints it, for contracts whose streams say how they end.
    """

    def __init__(
        self,
        pages: Pages,
        *,
        welcome: Callable[[], Awaitable[object]],
        manner: Manner = NATIVE,
        headers: Mapping[str, str] | None = None,
        farewell: Callable[[InturnError], Frame] | None = None,
    ) -> None:
        self._headers = [
            (name.lower().encode(), value.encode()) for name, value in (headers or {}).items()
        ]
        self._pages = pages
        self._welcome = welcome
        self._manner = manner
        self._farewell = farewell

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Stream; whichever way it ends, nothing of it is left behind."""
        del scope
        streaming = asyncio.create_task(self._stream(send))
        leaving = asyncio.create_task(departure(receive))
        try:
            await asyncio.wait({streaming, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            streaming.cancel()
            await asyncio.wait({streaming, leaving})
        if not streaming.cancelled():
            streaming.result()

    async def _stream(self, send: Send) -> None:
        headers = [*self._manner.headers, *self._headers]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        if self._manner.preamble:
            await _send(send, self._manner.preamble)
        try:
            async with aclosing(self._pages), aclosing(self._chunks()) as chunks:
                async for chunk in chunks:
                    await _send(send, chunk)
        except InturnError as error:
            # Deleted, revoked, or the database is away: who comes back is told which.
            if self._farewell is not None:
                await _send(send, _frame(self._farewell(error)))
        await _send(send, b"", more=False)

    async def _chunks(self) -> AsyncGenerator[bytes, None]:
        """Yield what is to be sent; a comment where there was nothing for a while."""
        welcomed = monotonic()
        while True:
            coming = asyncio.ensure_future(anext(self._pages, None))
            try:
                while not coming.done():
                    await asyncio.wait({coming}, timeout=self._manner.seconds)
                    if monotonic() - welcomed >= self._manner.seconds:
                        with suppress(Unavailable):  # what cannot be asked now passes
                            await self._welcome()
                        welcomed = monotonic()
                    if not coming.done():
                        yield self._manner.keep_alive
            finally:
                coming.cancel()
                await asyncio.wait({coming})
            if (page := coming.result()) is None:
                return
            yield b"".join(map(_frame, page))


def _frame(frame: Frame) -> bytes:
    id_ = b"" if frame.id is None else b"id: %s\n" % frame.id.encode()
    name = b"" if frame.event is None else b"event: %s\n" % frame.event.encode()
    return b"%s%sdata: %s\n\n" % (id_, name, frame.data)


async def _send(send: Send, body: bytes, *, more: bool = True) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more})
