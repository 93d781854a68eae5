"""The way out: one POST, to an address that was looked at, with everything bounded."""

import asyncio
import socket
import ssl
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Protocol

import httpcore
from httpcore import SOCKET_OPTION, AsyncNetworkBackend, AsyncNetworkStream

from shared.clock import monotonic
from shared.domain.addresses import Target, read_url
from shared.domain.webhook import Answer, TargetRefused

CONNECT_SECONDS, TOTAL_SECONDS = 5.0, 15.0

_MOST_BYTES = 4 * 1024  # of an answer; the connection of a longer one is closed
_MOST_CHARS = 500  # of it, for the log
_MOST_ADDRESSES = 3  # of one host, that are tried
_IDLE_SECONDS = 10.0


class Addresses(Protocol):
    """Where a host is; `shared.service.Targets` answers."""

    async def addresses(self, host: str, port: int) -> list[str]:
        """Find the addresses that may be connected to. Raises OSError."""


class Guarded(AsyncNetworkBackend):
    """Resolves once, has every address looked at, and connects to one of those itself.

    TLS still asks for the host by its name, and checks its certificate.
    """

    def __init__(self, addresses: Addresses, network: AsyncNetworkBackend | None = None) -> None:
        self._addresses = addresses
        self._network = network or httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  (httpcore's signature)
        local_address: str | None = None,
        socket_options: Iterable[SOCKET_OPTION] | None = None,
    ) -> AsyncNetworkStream:
        """Connect to the first address that lets us. Raises OSError, httpcore.ConnectError."""
        async with asyncio.timeout(timeout):
            found = await self._addresses.addresses(host, port)
            failure: Exception = OSError("the host has no address")
            for address in found[:_MOST_ADDRESSES]:
                try:
                    return await self._network.connect_tcp(
                        address, port, None, local_address, socket_options
                    )
                except (httpcore.ConnectError, OSError) as error:
                    failure = error
            raise failure

    async def sleep(self, seconds: float) -> None:
        """Wait, between httpcore's own attempts; we ask for none."""
        await self._network.sleep(seconds)


class Outbound:
    """Posts, follows no redirect, uses no proxy, and reads little of what comes back."""

    def __init__(
        self,
        addresses: Addresses,
        *,
        at_once: int,
        total_seconds: float = TOTAL_SECONDS,
        network: AsyncNetworkBackend | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._total = total_seconds
        self._connect = min(CONNECT_SECONDS, total_seconds)
        self._at_once = at_once
        self._network = Guarded(addresses, network)
        self._tls = tls
        self._opening = asyncio.Lock()
        self._opened: httpcore.AsyncConnectionPool | None = None

    async def post(self, url: str, headers: Mapping[str, str], body: str) -> Answer:
        """Post, and say what came back or what went wrong; raises nothing."""
        began = monotonic()
        try:
            async with asyncio.timeout(self._total):
                answer = await self._post(read_url(url), headers, body.encode())
        except Exception as error:  # noqa: BLE001  (whatever it was: nobody has confirmed)
            answer = Answer(error=self._sentence(error))
        return replace(answer, milliseconds=round(1000 * (monotonic() - began)))

    async def close(self) -> None:
        """Close every connection."""
        if self._opened is not None:
            await self._opened.aclose()

    async def _post(self, target: Target, headers: Mapping[str, str], body: bytes) -> Answer:
        url = httpcore.URL(
            scheme=target.scheme, host=target.host, port=target.port, target=target.path
        )
        sent = {"Host": target.authority, **headers}
        timeouts = {"timeout": {"connect": self._connect}}
        pool = await self._pool()
        async with pool.stream(
            "POST", url, headers=list(sent.items()), content=body, extensions=timeouts
        ) as response:
            read = b""
            async for chunk in response.aiter_stream():
                read += chunk
                if len(read) > _MOST_BYTES:
                    break
            return Answer(
                status=response.status,
                excerpt=_excerpt(read),
                retry_after=_retry_after(response.headers),
            )

    async def _pool(self) -> httpcore.AsyncConnectionPool:
        async with self._opening:
            if self._opened is None:
                # Reading the certificates of all authorities takes a while.
                tls = self._tls or await asyncio.to_thread(httpcore.default_ssl_context)
                self._opened = httpcore.AsyncConnectionPool(
                    ssl_context=tls,
                    max_connections=self._at_once,
                    max_keepalive_connections=self._at_once,
                    keepalive_expiry=_IDLE_SECONDS,
                    network_backend=self._network,
                )
            return self._opened

    def _sentence(self, error: Exception) -> str:
        if isinstance(error, TargetRefused | ValueError):
            return f"refused: {error}"
        if isinstance(error, TimeoutError | httpcore.TimeoutException):
            return f"no answer within {self._total:g} seconds"
        if isinstance(error, socket.gaierror):
            return "the host name does not resolve"
        if isinstance(error, httpcore.ConnectError | OSError):
            return f"no connection: {error}"[:_MOST_CHARS]
        return f"the connection broke: {type(error).__name__} {error}"[:_MOST_CHARS]


def _excerpt(read: bytes) -> str | None:
    text = read[:_MOST_BYTES].decode("utf-8", "replace")[:_MOST_CHARS]
    return "".join(each if each.isprintable() else " " for each in text) or None


def _retry_after(headers: Iterable[tuple[bytes, bytes]]) -> float | None:
    """Read seconds, or a date; null if there is neither."""
    for name, value in headers:
        if name.lower() != b"retry-after":
            continue
        text = value.decode("latin-1").strip()
        if text.isdecimal():
            return float(text[:9])
        with suppress(ValueError, TypeError):
            moment = parsedate_to_datetime(text)
            return max(0.0, (moment - datetime.now(UTC)).total_seconds())
    return None
