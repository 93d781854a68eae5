"""What may wait for a client that does not read."""

import pytest
from engineio import packet

from ingress.dialects.elizaos.sockets import engine
from ingress.dialects.elizaos.sockets.engine import Backlog
from ingress.dialects.elizaos.sockets.frames import well_formed


def text(length: int) -> packet.Packet:
    return packet.Packet(packet.MESSAGE, "x" * length)


def backlog() -> tuple[Backlog, list[Backlog]]:
    burst: list[Backlog] = []
    return Backlog(burst.append), burst


def test_it_takes_so_many_packets_and_then_nothing() -> None:
    queue, burst = backlog()
    for _ in range(engine.MAX_BACKLOG_PACKETS):
        queue.put_nowait(text(1))
    assert burst == []
    for _ in range(2):
        queue.put_nowait(text(1))
    assert burst == [queue]
    assert queue.empty()
    queue.put_nowait(None)
    assert queue.get_nowait() is None


def test_it_takes_so_much_text_and_one_packet_of_any_size() -> None:
    queue, burst = backlog()
    whole = engine.MAX_BACKLOG_CHARS
    queue.put_nowait(text(3 * whole))
    assert queue.get_nowait().data == "x" * 3 * whole
    for length in (whole - 1, 1):
        queue.put_nowait(text(length))
    assert burst == []
    assert queue.get_nowait().data == "x" * (whole - 1)
    queue.put_nowait(text(whole - 1))
    assert burst == []
    queue.put_nowait(text(1))
    assert burst == [queue]


async def test_nobody_waits_until_all_is_taken() -> None:
    queue, _ = backlog()
    queue.put_nowait(text(1))
    await queue.join()


@pytest.mark.parametrize(
    "frame", ["40", "40{}", "41", '42["a"]', "430[]", "2probe", "3probe", "3", "5", "1"]
)
def test_packets_of_clients_are_well_formed(frame: str) -> None:
    assert well_formed(frame)


@pytest.mark.parametrize("frame", ["", "0", "4", "6", "451-", "4[", "2[[", "b4", "x", None, b"40"])
def test_anything_else_is_not(frame: object) -> None:
    assert not well_formed(frame)
