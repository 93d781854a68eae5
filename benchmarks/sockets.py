"""Sockets: 500 clients, each joined to a session of its own, and what each costs and waits."""

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import aiohttp
from rich.progress import Progress

from benchmarks import load
from benchmarks.burst import open_stack
from benchmarks.order import percentile
from benchmarks.processes import BenchmarkError
from benchmarks.report import Row
from benchmarks.stacks import Stack
from shared.ids import parse
from tests.services import LOOPBACK

SOCKETS = 500
WARM_UP = 50
MOST_KIBIBYTES = 200.0
TARGET_MILLISECONDS = {"sqlite": 50.0, "postgres": 100.0}
_AT_ONCE = 50
_APART_SECONDS = 0.05  # between two messages
_PATIENCE_SECONDS = 60
_ENTITY = "11111111-2222-3333-4444-555555555555"
_BROADCAST, _JOINED, _PING = '42["messageBroadcast",', '42["room_joined"', "2"


@dataclass
class _Member:
    """One socket; notes how old each answer is when it comes, in seconds."""

    socket: aiohttp.ClientWebSocketResponse
    room: str
    joined: asyncio.Event = field(default_factory=asyncio.Event)
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    listening: asyncio.Task[None] | None = None
    age: float = 0.0

    async def listen(self) -> None:
        async for message in self.socket:
            text = str(message.data)
            if text == _PING:
                await self.socket.send_str("3")
            elif text.startswith(_JOINED):
                self.joined.set()
            elif text.startswith(_BROADCAST):
                self._note(json.loads(text[2:])[1])

    def _note(self, told: dict[str, object]) -> None:
        if told["source"] == "agent_response":
            self.age = time.time() - float(str(told["createdAt"])) / 1000
            self.answered.set()


def measure(database: str, progress: Progress, *, sockets: int = SOCKETS) -> list[Row]:
    """Join them all, then have each session answer once, evenly spread; then all at once."""
    with open_stack(database) as stack:
        task = progress.add_task(f"sockets, {stack.name}", total=4)
        inboxes = load.inboxes(stack, "echo", sockets)
        rooms = [str(parse("sess", path.split("/")[3])) for path in inboxes]
        progress.advance(task)
        return asyncio.run(_measure(database, stack, rooms, lambda: progress.advance(task)))


async def _measure(
    database: str, stack: Stack, rooms: Sequence[str], tick: Callable[[], None]
) -> list[Row]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        # What every process allocates once is not a socket's.
        await asyncio.gather(*[_enter(http, stack, room) for room in rooms[:WARM_UP]])
        before = _memory(stack)
        members: list[_Member] = []
        for at in range(0, len(rooms), _AT_ONCE):
            entering = (_enter(http, stack, room) for room in rooms[at : at + _AT_ONCE])
            members += await asyncio.gather(*entering)
        each = (_memory(stack) - before) / len(members) / 1024
        tick()
        used = stack.cpu_seconds
        spread = await _answers(members, _APART_SECONDS)
        cost = 1000 * (stack.cpu_seconds - used) / len(members)
        tick()
        at_once = await _answers(members, 0)
        tick()
    return [_memory_row(stack, each, len(members)), *_rows(database, stack, spread, at_once, cost)]


async def _enter(http: aiohttp.ClientSession, stack: Stack, room: str) -> _Member:
    url = f"http://{LOOPBACK}:{stack.port}/socket.io/?EIO=4&transport=websocket"
    socket = await http.ws_connect(url)
    member = _Member(socket, room)
    member.listening = asyncio.create_task(member.listen())
    await socket.send_str("40" + json.dumps({"entityId": _ENTITY, "apiKey": stack.key}))
    await socket.send_str("42" + json.dumps(["join", {"roomId": room}]))
    async with asyncio.timeout(_PATIENCE_SECONDS):
        await member.joined.wait()
    return member


async def _answers(members: Sequence[_Member], apart: float) -> list[float]:
    for member in members:
        member.answered.clear()
    for member in members:
        said = ["message", {"type": 2, "payload": {"roomId": member.room, "message": "hi"}}]
        await member.socket.send_str("42" + json.dumps(said))
        await asyncio.sleep(apart)
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await asyncio.gather(*(member.answered.wait() for member in members))
    except TimeoutError:
        missing = sum(not member.answered.is_set() for member in members)
        raise BenchmarkError(f"sockets: {missing} answers never came") from None
    return [member.age for member in members]


def _memory(stack: Stack) -> float:
    return float(sum(each.memory_info().rss for each in stack.servers[0].family))


def _memory_row(stack: Stack, kibibytes: float, sockets: int) -> Row:
    return Row(
        what=f"sockets: memory of one of {sockets}, joined",
        on=stack.name,
        measured=f"{kibibytes:.0f} KiB",
        target=f"<= {MOST_KIBIBYTES:g} KiB",
        met=kibibytes <= MOST_KIBIBYTES,
    )


def _rows(
    database: str, stack: Stack, spread: Sequence[float], at_once: Sequence[float], cost: float
) -> list[Row]:
    p50, p95 = (1000 * percentile(list(spread), share) for share in (0.5, 0.95))
    all50, all95 = (1000 * percentile(list(at_once), share) for share in (0.5, 0.95))
    target = TARGET_MILLISECONDS[database]
    return [
        Row(
            what="sockets: from settle to broadcast, 20/s, p50",
            on=stack.name,
            measured=f"{p50:.1f} ms",
            target=f"<= {target:g} ms",
            met=p50 <= target,
            beside=f"p95 {p95:.1f} ms; server CPU {cost:.1f} ms for each, its run and all",
        ),
        Row(
            what=f"sockets: the same, {len(at_once)} at once, p50",
            on=stack.name,
            measured=f"{all50:.1f} ms",
            beside=f"p95 {all95:.1f} ms",
        ),
    ]
