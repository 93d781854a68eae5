"""An answer is held for as long as somebody waits for it."""

import asyncio

import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message

from ingress.held import held


class Client:
    """The other end of a request, which leaves when told to."""

    def __init__(self) -> None:
        self.left = asyncio.Event()
        self.request = Request({"type": "http"}, self._receive)

    async def _receive(self) -> Message:
        await self.left.wait()
        return {"type": "http.disconnect"}


async def test_what_was_waited_for_is_returned_or_raised() -> None:
    async def answer() -> int:
        return 7

    async def fail() -> int:
        raise LookupError

    assert await held(Client().request, answer()) == 7
    with pytest.raises(LookupError):
        await held(Client().request, fail())


async def test_nobody_waits_for_a_client_that_has_left() -> None:
    client, begun, freed = Client(), asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            freed.set()

    holding = asyncio.create_task(held(client.request, wait()))
    await begun.wait()
    client.left.set()
    with pytest.raises(ClientDisconnect):
        await holding
    assert freed.is_set()


async def test_a_holder_that_is_cancelled_leaves_nothing_behind() -> None:
    client, begun, freed = Client(), asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            freed.set()

    holding = asyncio.create_task(held(client.request, wait()))
    await begun.wait()
    holding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await holding
    assert freed.is_set()
    assert asyncio.all_tasks() == {asyncio.current_task()}
