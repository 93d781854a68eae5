"""JSON that is sent as it is read: what is behind an answer is never held whole."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import orjson
from starlette.types import Receive, Scope, Send

from ingress.held import departure
from shared.domain.jsontypes import JsonObject

_HEADERS = [(b"content-type", b"application/json")]


class StreamedList:
    """An ASGI response: an object that ends in a list, whose items come page by page.

    What goes wrong before the first page is an answer like any other. Afterwards the connection
    breaks off, so that nobody takes a part for the whole.
    """

    def __init__(
        self, before: JsonObject, name: str, pages: AsyncGenerator[Sequence[JsonObject], None]
    ) -> None:
        opened = orjson.dumps(before | {name: []})
        self._head, self._tail = opened[:-2], opened[-2:]
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send one page before the next is asked for; nothing more once the client has left."""
        del scope
        async with aclosing(self._pages) as pages:
            page = await anext(pages, None)
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            leaving = asyncio.create_task(departure(receive))
            try:
                before = self._head
                while page is not None and not leaving.done():
                    await _send(send, before + _joined(page))
                    page, before = await anext(pages, None), b","
                await _send(
                    send, self._tail if before == b"," else self._head + self._tail, more=False
                )
            finally:
                leaving.cancel()
                await asyncio.wait({leaving})


def _joined(page: Sequence[JsonObject]) -> bytes:
    return b",".join(map(orjson.dumps, page))


async def _send(send: Send, body: bytes, *, more: bool = True) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more})
