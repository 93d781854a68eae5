"""What a deliverer stands on, without a database or a network."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from shared.clock import Instant
from shared.domain.webhook import Answer, Outgoing, Tried
from shared.ids import DeliveryId, new_id

SECRET = "whsec_c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IQ=="


def outgoing(target: str = "https://example.org:443", attempt: int = 1, **more: object) -> Outgoing:
    return Outgoing(
        id=DeliveryId(new_id()),
        webhook_id=None,
        url=f"{target}/hook",
        target=target,
        body='{"type":"run.succeeded"}',
        secrets=(SECRET,),
        correlation_id=str(more.get("correlation_id", "trace-1")),
        attempt=attempt,
        taken_at=Instant(1_700_000_000_000_000),
        held_until=Instant(1_700_000_030_000_000),
    )


@dataclass
class Tray:
    """Deliveries that are due; it keeps to what it is asked for, and remembers results."""

    due: list[Outgoing] = field(default_factory=list)
    tried: list[Tried] = field(default_factory=list)
    ended: asyncio.Queue[Tried] = field(default_factory=asyncio.Queue)
    likely: list[bool] = field(default_factory=list)
    rung: asyncio.Event = field(default_factory=asyncio.Event)

    def ring(self) -> None:
        self.rung.set()

    async def wait(self, seconds: float) -> None:
        assert seconds > 0
        await self.rung.wait()
        self.rung.clear()

    async def take(
        self,
        *,
        room: int,
        share: int,
        rooms: Mapping[str, int],
        hold_seconds: float,
        likely: bool = False,
    ) -> list[Outgoing]:
        self.likely.append(likely)
        assert hold_seconds > 0
        taken: list[Outgoing] = []
        left = dict(rooms)
        for each in self.due:
            if len(taken) < room and left.setdefault(each.target, share) > 0:
                left[each.target] -= 1
                taken.append(each)
        self.due = [each for each in self.due if each not in taken]
        return taken

    async def record(self, tried: Tried) -> bool:
        self.tried.append(tried)
        self.ended.put_nowait(tried)
        return True

    async def recorded(self, count: int) -> None:
        """Wait for so many more."""
        for _ in range(count):
            await asyncio.wait_for(self.ended.get(), 5)


class Street:
    """Answers each post when the test says so, or at once."""

    def __init__(self, answer: Callable[[str], Answer] = lambda _: Answer(status=200)) -> None:
        self.answer = answer
        self.posted: list[tuple[str, Mapping[str, str], str]] = []
        self.open = asyncio.Event()
        self.open.set()
        self.knocks: asyncio.Queue[str] = asyncio.Queue()

    async def post(self, url: str, headers: Mapping[str, str], body: str) -> Answer:
        self.posted.append((url, headers, body))
        self.knocks.put_nowait(url)
        await self.open.wait()
        return self.answer(url)

    async def knocked(self, count: int) -> None:
        """Wait for so many more posts to begin."""
        for _ in range(count):
            await asyncio.wait_for(self.knocks.get(), 5)
