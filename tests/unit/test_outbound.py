"""The way out: to an address that was looked at, under the host's own name, and not too long."""

import asyncio
import ssl
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpcore
import pytest
from httpcore import SOCKET_OPTION

from shared.domain.webhook import Answer
from shared.service.targets import Targets
from tests.unit.test_targets import PRIVATE, PUBLIC, Names
from workers.outbound import Outbound

TLS = ssl.create_default_context()
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwell"
HEADERS = {"webhook-id": "delivery_1"}


class Wire(httpcore.AsyncNetworkStream):
    """A connection to whoever was dialled; it answers each request the same."""

    def __init__(self, network: "Network") -> None:
        self.network = network
        self.unread = b""

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        assert timeout is None
        if not self.network.answer:
            await asyncio.Event().wait()
        read, self.unread = self.unread[:max_bytes], self.unread[max_bytes:]
        return read

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        assert timeout is None
        self.network.said += buffer
        if buffer.endswith(b"{}"):
            self.unread += self.network.answer

    async def aclose(self) -> None:
        self.network.closed += 1

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> "Wire":
        assert ssl_context.check_hostname
        assert timeout
        self.network.asked_for.append(server_hostname)
        return self


class Network(httpcore.AsyncNetworkBackend):
    """Remembers whom it was told to dial."""

    def __init__(self, answer: bytes = OK, *, away: Iterable[str] = ()) -> None:
        self.answer = answer
        self.away = set(away)
        self.dialled: list[tuple[str, int]] = []
        self.asked_for: list[str | None] = []
        self.said = b""
        self.closed = 0

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109
        local_address: str | None = None,
        socket_options: Iterable[SOCKET_OPTION] | None = None,
    ) -> Wire:
        assert (timeout, local_address, socket_options) == (None, None, None)
        self.dialled.append((host, port))
        if host in self.away:
            raise httpcore.ConnectError("refused")
        return Wire(self)


async def post(
    network: Network,
    *addresses: str,
    url: str = "https://hooks.example.org/a?b=c",
    seconds: float = 5,
    allow_private: bool = False,
) -> Answer:
    targets = Targets(allow_private=allow_private, resolve=Names(*addresses))
    outbound = Outbound(targets, at_once=2, total_seconds=seconds, network=network, tls=TLS)
    answer = await outbound.post(url, HEADERS, "{}")
    await outbound.close()
    return answer


async def test_it_dials_the_address_and_asks_for_the_name() -> None:
    network = Network()
    answer = await post(network, PUBLIC)
    assert (answer.status, answer.excerpt, answer.error) == (200, "well", None)
    assert network.dialled == [(PUBLIC, 443)]
    assert network.asked_for == ["hooks.example.org"]
    head, _, body = network.said.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /a?b=c HTTP/1.1\r\n")
    assert b"Host: hooks.example.org\r\n" in head
    assert b"webhook-id: delivery_1" in head
    assert b"Content-Length: 2" in head
    assert body == b"{}"


async def test_an_address_of_its_own_and_a_port() -> None:
    network = Network()
    url = "http://[2606:4700:4700::1111]:8080/"
    assert (await post(network, "2606:4700:4700::1111", url=url)).status == 200
    assert network.dialled == [("2606:4700:4700::1111", 8080)]
    assert b"Host: [2606:4700:4700::1111]:8080\r\n" in network.said
    assert network.asked_for == []


@pytest.mark.parametrize("addresses", [[PRIVATE], [PUBLIC, PRIVATE], ["127.0.0.1"], ["::1"]])
async def test_nobody_private_is_dialled(addresses: list[str]) -> None:
    network = Network()
    answer = await post(network, *addresses)
    assert answer.status is None
    assert answer.error == "refused: the host is at an address that is not public"
    assert network.dialled == []


async def test_a_private_one_is_dialled_where_that_is_allowed() -> None:
    network = Network()
    url = "http://localhost:9000/"
    assert (await post(network, "127.0.0.1", url=url, allow_private=True)).status == 200
    assert network.dialled == [("127.0.0.1", 9000)]


async def test_a_redirect_is_an_answer_like_any_other() -> None:
    moved = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n"
    network = Network(moved)
    assert (await post(network, PUBLIC)).status == 302
    assert len(network.dialled) == 1


async def test_the_next_address_is_tried() -> None:
    network = Network(away={PUBLIC})
    assert (await post(network, PUBLIC, "8.8.8.8")).status == 200
    assert network.dialled == [(PUBLIC, 443), ("8.8.8.8", 443)]
    answer = await post(Network(away={PUBLIC}), PUBLIC)
    assert answer.error == "no connection: refused"


async def test_a_name_that_is_none() -> None:
    assert (await post(Network())).error == "the host name does not resolve"


async def test_silence_ends() -> None:
    network = Network(b"")
    answer = await post(network, PUBLIC, seconds=0.05)
    assert answer.error == "no answer within 0.05 seconds"
    assert network.closed


async def test_little_is_read_and_less_is_kept() -> None:
    network = Network(b"HTTP/1.1 200 OK\r\n\r\n" + b"A\x00\n" * 100_000)
    answer = await post(network, PUBLIC)
    assert answer.excerpt is not None
    assert len(answer.excerpt) == 500
    assert answer.excerpt.startswith("A  A  ")
    assert network.closed


async def test_what_is_no_http_is_no_answer() -> None:
    answer = await post(Network(b"SSH-2.0-OpenSSH_9.6\r\n"), PUBLIC)
    assert answer.error is not None
    assert answer.error.startswith("the connection broke: ")


async def test_a_connection_is_used_again() -> None:
    network = Network()
    targets = Targets(allow_private=False, resolve=Names(PUBLIC))
    outbound = Outbound(targets, at_once=2, network=network, tls=TLS)
    for _ in range(3):
        assert (await outbound.post("https://hooks.example.org/", {}, "{}")).status == 200
    await outbound.close()
    assert len(network.dialled) == 1


@pytest.mark.parametrize(
    ("said", "low", "high"), [("120", 120, 120), ("Wed, 21 Oct 2015 07:28:00 GMT", 0, 0)]
)
async def test_when_to_come_again(said: str, low: float, high: float) -> None:
    answer = f"HTTP/1.1 503 Busy\r\nRetry-After: {said}\r\nContent-Length: 0\r\n\r\n".encode()
    after = (await post(Network(answer), PUBLIC)).retry_after
    assert after is not None
    assert low <= after <= high


async def test_when_to_come_again_by_the_clock() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    await test_when_to_come_again(later, 3000, 3600)


@pytest.mark.parametrize("said", ["soon", "-5", "", "Wed, 99 Oct"])
async def test_nonsense_is_no_time(said: str) -> None:
    answer = f"HTTP/1.1 503 Busy\r\nRetry-After: {said}\r\nContent-Length: 0\r\n\r\n".encode()
    assert (await post(Network(answer), PUBLIC)).retry_after is None
