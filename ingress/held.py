"""Answers that are held back: for as long as the client waits for them."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive

T = TypeVar("T")


async def held(request: Request, waiting: Coroutine[Any, Any, T]) -> T:
    """Wait, and stop as soon as nobody is there to be answered. Raises ClientDisconnect."""
    work = asyncio.ensure_future(waiting)
    leaving = asyncio.create_task(departure(request.receive))
    try:
        await asyncio.wait({work, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            return work.result()
        raise ClientDisconnect
    finally:
        leaving.cancel()
        work.cancel()
        await asyncio.wait({work, leaving})


async def departure(receive: Receive) -> None:
    """Return when the client is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
