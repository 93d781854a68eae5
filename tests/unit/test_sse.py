"""A stream sends page by page, says that it lives, and leaves nothing behind."""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass, field

import pytest
from starlette.types import Message

from ingress.sse import EventStream, Frame, Manner
from shared.domain.errors import InturnError, NotFound, Unauthenticated, Unavailable

FIRST, SECOND = Frame("1-1", "a", b"{}"), Frame(None, "b", b'{"x":1}')
RETRY = b"retry: 1000\n\n"


@dataclass
class Client:
    """Reads at its own pace, and leaves when told."""

    body: list[bytes] = field(default_factory=list)
    headers: dict[bytes, bytes] = field(default_factory=dict)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    reads: asyncio.Event = field(default_factory=asyncio.Event)
    got: asyncio.Event = field(default_factory=asyncio.Event)
    ended: bool = False

    def __post_init__(self) -> None:
        self.reads.set()

    async def receive(self) -> Message:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            assert message["status"] == 200
            self.headers = dict(message["headers"])
            return
        self.got.set()
        await self.reads.wait()
        self.body.append(message["body"])
        self.ended = not message["more_body"]

    async def until(self, what: bytes) -> None:
        async with asyncio.timeout(5):
            while what not in b"".join(self.body):
                self.got.clear()
                await self.got.wait()
                await asyncio.sleep(0)


class Source:
    """Pages, and whether somebody still holds them."""

    def __init__(self, *pages: Iterable[Frame] | InturnError | Exception | None) -> None:
        self.pages = pages
        self.asked = 0
        self.open = False

    async def read(self) -> AsyncGenerator[Iterable[Frame], None]:
        self.open = True
        try:
            for page in self.pages:
                self.asked += 1
                if isinstance(page, Exception):
                    raise page
                if page is None:
                    await asyncio.get_running_loop().create_future()
                else:
                    yield page
        finally:
            await asyncio.sleep(0)
            self.open = False


async def welcome() -> None:
    pass


def streaming(source: Source, client: Client, keep_alive: float = 60.0) -> asyncio.Task[None]:
    stream = EventStream(source.read(), welcome=welcome, manner=Manner(seconds=keep_alive))
    return asyncio.create_task(stream({}, client.receive, client.send))


async def over(task: asyncio.Task[None]) -> None:
    async with asyncio.timeout(5):
        await task


async def test_frames_are_written_as_the_standard_says() -> None:
    client, source = Client(), Source([FIRST, SECOND], [FIRST])
    await over(streaming(source, client))
    first, second = b"id: 1-1\nevent: a\ndata: {}\n\n", b'event: b\ndata: {"x":1}\n\n'
    assert client.body == [RETRY, first + second, first, b""]
    assert client.headers == {
        b"content-type": b"text/event-stream",
        b"cache-control": b"no-store",
        b"x-accel-buffering": b"no",
    }
    assert client.ended
    assert not source.open


async def test_silence_is_filled_with_comments() -> None:
    client, source = Client(), Source([FIRST], None)
    task = streaming(source, client, keep_alive=0.001)
    await client.until(b": keep-alive\n\n: keep-alive\n\n")
    client.left.set()
    await over(task)
    assert source.asked == 2


async def test_a_slow_client_costs_one_page() -> None:
    client, source = Client(), Source([FIRST], [SECOND], [FIRST])
    client.reads.clear()
    task = streaming(source, client)
    await client.got.wait()
    for _ in range(20):
        await asyncio.sleep(0)
    assert source.asked == 0  # the first bytes are not gone yet
    client.reads.set()
    await over(task)
    assert source.asked == 3


@pytest.mark.parametrize("reads", [True, False])
async def test_a_client_that_leaves_frees_everything_at_once(reads: bool) -> None:
    client, source = Client(), Source([FIRST], None)
    task = streaming(source, client)
    await client.until(b"event: a")
    assert source.open
    if not reads:
        client.reads.clear()
    client.left.set()
    await over(task)
    assert not source.open
    assert len(asyncio.all_tasks()) == 1


async def test_a_client_that_leaves_in_the_middle_of_a_page_frees_everything_too() -> None:
    client, source = Client(), Source([FIRST], [SECOND])
    task = streaming(source, client)
    await client.until(RETRY)
    client.reads.clear()
    client.got.clear()
    await client.got.wait()
    assert source.asked == 1
    client.left.set()
    await over(task)
    assert not source.open


async def test_a_client_that_leaves_at_once_is_not_streamed_to() -> None:
    client, source = Client(), Source(None)
    client.left.set()
    await over(streaming(source, client))
    assert not source.open


async def test_a_server_that_is_cancelled_frees_everything_too() -> None:
    client, source = Client(), Source([FIRST], None)
    task = streaming(source, client)
    await client.until(b"event: a")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await over(task)
    assert not source.open


async def test_an_error_of_the_domain_ends_the_stream_in_good_order() -> None:
    client, source = Client(), Source([FIRST], NotFound("session"))
    await over(streaming(source, client))
    assert client.ended


async def test_a_defect_does_not_look_like_an_end() -> None:
    client, source = Client(), Source([FIRST], ValueError("a bug"))
    with pytest.raises(ValueError, match="a bug"):
        await over(streaming(source, client))
    assert not client.ended


async def test_who_is_not_welcome_any_more_is_shown_out() -> None:
    async def revoked() -> None:
        raise Unauthenticated("This key was revoked.")

    client, source = Client(), Source([FIRST], None)
    stream = EventStream(source.read(), welcome=revoked, manner=Manner(seconds=0.001))
    await over(asyncio.create_task(stream({}, client.receive, client.send)))
    assert client.ended
    assert not source.open


async def test_whose_credential_cannot_be_asked_about_stays() -> None:
    client, asked = Client(), asyncio.Event()

    async def away() -> None:
        asked.set()
        raise Unavailable("The database does not answer.")

    async def pages() -> AsyncGenerator[Iterable[Frame], None]:
        yield [FIRST]
        await asked.wait()
        yield [SECOND]

    stream = EventStream(pages(), welcome=away, manner=Manner(seconds=0.001))
    await over(asyncio.create_task(stream({}, client.receive, client.send)))
    assert client.body[-2:] == [b'event: b\ndata: {"x":1}\n\n', b""]


async def test_a_contract_may_say_why_a_stream_ends() -> None:
    async def revoked() -> None:
        raise Unauthenticated("This key was revoked.")

    client, source = Client(), Source([FIRST], None)
    stream = EventStream(
        source.read(),
        welcome=revoked,
        manner=Manner(seconds=0.001),
        farewell=lambda error: Frame(None, "error", error.detail.encode()),
    )
    await over(asyncio.create_task(stream({}, client.receive, client.send)))
    assert client.body[-2:] == [b"event: error\ndata: This key was revoked.\n\n", b""]
    assert client.ended
