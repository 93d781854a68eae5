"""A network that delivers every request, and then loses answers as a test says."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import TypeAlias

import httpx

Plan: TypeAlias = httpx.Response | None  # what comes in place of the answer; null: nothing does


@dataclass
class Network(httpx.AsyncBaseTransport):
    plans: list[Plan] = field(default_factory=list)
    cut_after: int = 0  # bytes of the next stream; 0 cuts none
    sent: list[httpx.Request] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    wire: httpx.AsyncHTTPTransport = field(default_factory=httpx.AsyncHTTPTransport)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        answer = await self.wire.handle_async_request(request)
        self.statuses.append(answer.status_code)
        if self.plans:
            await answer.aclose()
            if (planned := self.plans.pop(0)) is None:
                raise httpx.ReadError("lost", request=request)
            return planned
        if self.cut_after and answer.headers.get("Content-Type") == "text/event-stream":
            assert isinstance(answer.stream, httpx.AsyncByteStream)
            answer.stream = Cut(answer.stream, self.cut_after)
            self.cut_after = 0
        return answer

    async def aclose(self) -> None:
        await self.wire.aclose()

    @property
    def keys(self) -> set[str]:
        """The keys of everything that was sent."""
        return {each.headers["Idempotency-Key"] for each in self.sent}


@dataclass
class Cut(httpx.AsyncByteStream):
    """A stream that breaks after so many bytes."""

    whole: httpx.AsyncByteStream
    left: int

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self.whole:
            yield chunk[: self.left]
            self.left -= len(chunk)
            if self.left <= 0:
                raise httpx.ReadError("cut")

    async def aclose(self) -> None:
        await self.whole.aclose()
