"""An HTTP/1.1 client that costs far less than any server: rendered requests, bare sockets."""

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Sequence
from time import perf_counter, process_time, time
from typing import cast

from benchmarks.order import Order, Outcome, percentile

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_STATUS = slice(9, 12)
_END = b"\r\n\r\n"


class Load:
    """What is still to be asked, and what was answered."""

    def __init__(self, requests: Sequence[bytes], order: Order) -> None:
        self._requests = requests
        self._order = order
        self._sent = 0
        self.interval = order.interval
        self._deadline = perf_counter() + (order.seconds or 3600)
        self.statuses: Counter[str] = Counter()
        self.latencies: list[float] = []
        self.bodies: list[str] = []

    def take(self) -> bytes | None:
        """Give out the next request, or null once all is asked."""
        if self._sent == self._order.total or perf_counter() > self._deadline:
            return None
        self._sent += 1
        return self._requests[(self._sent - 1) % len(self._requests)]

    def note(self, answer: bytes, seconds: float) -> None:
        """Keep what is wanted of an answer."""
        self.statuses[answer[_STATUS].decode()] += 1
        self.latencies.append(seconds)
        if self._order.bodies:
            self.bodies.append(answer[answer.index(_END) + len(_END) :].decode())


class Connection(asyncio.Protocol):
    """Asks, waits for the answer, asks again; the connection is kept."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._received = b""
        self._asked_at = 0.0
        self._transport: asyncio.Transport | None = None
        self._interval = load.interval
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def ask(self) -> None:
        """Send the next request; with none left, hang up."""
        request = self._load.take()
        if self._transport is None or request is None:
            self._finish()
            return
        self._asked_at = perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        if _is_whole(self._received):
            answer, self._received = self._received, b""
            now = perf_counter()
            self._load.note(answer, now - self._asked_at)
            if self._interval is None:
                self.ask()
            else:
                pause = max(0.0, self._asked_at + self._interval - now)
                asyncio.get_running_loop().call_later(pause, self.ask)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionError("the server hung up"))

    def _finish(self) -> None:
        if not self.done.done():
            self.done.set_result(None)
        if self._transport:
            self._transport.close()


def _is_whole(received: bytes) -> bool:
    head = received.find(_END)
    if head < 0:
        return False
    length = _LENGTH.search(received, 0, head)
    return len(received) >= head + len(_END) + (int(length[1]) if length else 0)


async def fulfil(order: Order) -> Outcome:
    """Open all connections, then send until the order's total or time is reached."""
    requests = [render(order, path, body) for body in order.posts for path in order.paths]
    load = Load(requests, order)
    connections = await _connect(order, lambda: Connection(load))
    began, started, cpu = time(), perf_counter(), process_time()
    spread = (order.interval or 0.0) / len(connections)
    for number, connection in enumerate(connections):
        asyncio.get_running_loop().call_later(number * spread, connection.ask)
    await asyncio.gather(*(connection.done for connection in connections))
    seconds = perf_counter() - started
    return Outcome(
        began_at=began,
        seconds=seconds,
        cpu_seconds=process_time() - cpu,
        statuses=dict(load.statuses),
        p50=percentile(load.latencies, 0.5),
        p99=percentile(load.latencies, 0.99),
        bodies=load.bodies,
    )


async def _connect(order: Order, protocol: Callable[[], Connection]) -> list[Connection]:
    loop = asyncio.get_running_loop()
    pairs = await asyncio.gather(
        *(
            loop.create_connection(protocol, order.host, order.port)
            for _ in range(order.connections)
        )
    )
    return [connection for _, connection in pairs]


def render(order: Order, path: str, post: str) -> bytes:
    """Write one request as it travels."""
    key = f"X-API-Key: {order.key}\r\n" if order.key else ""
    if order.known is not None:
        head = f"GET {path} HTTP/1.1\r\nHost: {order.host}:{order.port}\r\n{key}"
        return f"{head}If-None-Match: {order.known}\r\n\r\n".encode()
    body = post.encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {order.host}:{order.port}\r\n{key}"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
