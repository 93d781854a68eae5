"""A list is sent page by page; one that breaks off cannot be taken for a whole one."""

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence

import pytest
from starlette.types import Message

from ingress.streamed import StreamedList
from shared.domain.errors import NotFound, Unavailable
from shared.domain.jsontypes import JsonObject

BEFORE: JsonObject = {"name": "x"}


class Wire:
    """What was sent; the client stays until it is told to leave."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.left = asyncio.Event()

    async def send(self, message: Message) -> None:
        self.sent.append(message)
        await asyncio.sleep(0)

    async def receive(self) -> Message:
        await self.left.wait()
        return {"type": "http.disconnect"}

    @property
    def bodies(self) -> list[bytes]:
        return [each["body"] for each in self.sent[1:]]

    async def take(self, pages: AsyncGenerator[Sequence[JsonObject], None]) -> None:
        await StreamedList(BEFORE, "items", pages)({}, self.receive, self.send)


async def numbered(*sizes: int) -> AsyncGenerator[Sequence[JsonObject], None]:
    for size in sizes:
        yield [{"n": number} for number in range(size)]


@pytest.mark.parametrize("sizes", [(), (1,), (2, 3), (1, 1, 1)])
async def test_the_pages_are_one_list(sizes: tuple[int, ...]) -> None:
    wire = Wire()
    await wire.take(numbered(*sizes))
    whole = json.loads(b"".join(wire.bodies))
    items = [{"n": number} for size in sizes for number in range(size)]
    assert whole == BEFORE | {"items": items}
    assert len(wire.bodies) == len(sizes) + 1
    assert [each["more_body"] for each in wire.sent[1:]] == [True] * len(sizes) + [False]


async def test_what_is_wrong_from_the_start_is_an_answer_like_any_other() -> None:
    async def nothing() -> AsyncGenerator[Sequence[JsonObject], None]:
        raise NotFound("session")
        yield []

    wire = Wire()
    with pytest.raises(NotFound):
        await wire.take(nothing())
    assert wire.sent == []


async def test_what_goes_wrong_later_leaves_the_list_open() -> None:
    async def breaking() -> AsyncGenerator[Sequence[JsonObject], None]:
        yield [{"n": 1}]
        raise Unavailable("The database is away.")

    wire = Wire()
    with pytest.raises(Unavailable):
        await wire.take(breaking())
    assert all(each["more_body"] for each in wire.sent[1:])
    with pytest.raises(json.JSONDecodeError):
        json.loads(b"".join(wire.bodies))


async def test_nothing_is_read_for_who_has_left() -> None:
    read = 0

    async def endless() -> AsyncGenerator[Sequence[JsonObject], None]:
        nonlocal read
        while True:
            read += 1
            if read == 3:
                wire.left.set()
                await asyncio.sleep(0)
            yield [{"n": read}]

    wire = Wire()
    async with asyncio.timeout(5):
        await wire.take(endless())
    assert read <= 4
