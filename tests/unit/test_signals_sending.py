"""What the wire does with hints that cannot leave: it drops them, and nobody hears of it."""

import asyncio
from typing import Any, cast

import pytest
from pika import BasicProperties

from shared.amqp import Link
from shared.ids import SessionId, new_id
from shared.signals import RabbitWire
from shared.signals.hints import Hint, Kind, decode


class Channel:
    """Keeps what is published."""

    def __init__(self) -> None:
        self.published: list[tuple[str, bytes, BasicProperties]] = []

    def basic_publish(self, _: str, topic: str, body: bytes, properties: BasicProperties) -> None:
        self.published.append((topic, body, properties))


class FakeLink:
    """An open link, or one that is stuck."""

    def __init__(self, *, blocked: bool = False, backlog: int = 0) -> None:
        self.blocked, self.backlog, self.channel = blocked, backlog, Channel()


def wired(link: FakeLink | None) -> RabbitWire:
    wire = RabbitWire("amqp://127.0.0.1/", "inturn")
    wire._link = cast("Link | None", link)  # noqa: SLF001  # as if it had just opened
    return wire


def moved() -> Hint:
    return Hint(Kind.MOVED, SessionId(new_id()))


async def flushed() -> None:
    await asyncio.sleep(0)
    await asyncio.sleep(0)


async def test_hints_of_one_turn_are_one_message_for_all_their_topics() -> None:
    link = FakeLink()
    wire = wired(link)
    hints = [moved() for _ in range(200)]
    for hint in [*hints, *hints]:
        wire.send(hint)
    await flushed()
    [(topic, body, properties)] = link.channel.published
    assert list(decode(body)) == hints
    headers = cast("dict[str, Any]", properties.headers)
    assert {topic, *headers["BCC"]} == {hint.topic for hint in hints}


async def test_a_torrent_is_a_message_now_and_then() -> None:
    link = FakeLink()
    wire = wired(link)
    began = asyncio.get_running_loop().time()
    for _ in range(200):
        wire.send(moved())
        await flushed()
    seconds = asyncio.get_running_loop().time() - began
    assert 1 <= len(link.channel.published) <= 2 + seconds / 0.005


@pytest.mark.parametrize(
    "link",
    [None, FakeLink(blocked=True), FakeLink(backlog=1 << 30)],
    ids=["away", "blocked", "slow"],
)
async def test_what_cannot_leave_is_dropped(link: FakeLink | None) -> None:
    wire = wired(link)
    wire.send(moved())
    await flushed()
    assert link is None or link.channel.published == []
    if link is not None:
        link.blocked, link.backlog = False, 0
        later = moved()
        await asyncio.wait_for(arrived(wire, link, later), 5)


async def arrived(wire: RabbitWire, link: FakeLink, hint: Hint) -> None:
    wire.send(hint)
    while not link.channel.published:  # noqa: ASYNC110  # a timer of the loop's
        await asyncio.sleep(0)
    [(_, body, _)] = link.channel.published
    assert list(decode(body)) == [hint]


async def test_it_looks_up_only_while_the_broker_takes_hints() -> None:
    assert not wired(None).up
    assert not wired(FakeLink(blocked=True)).up
    assert wired(FakeLink()).up
