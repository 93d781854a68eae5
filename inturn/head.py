"""Heads of requests: read up to a bound, before anybody is asked who they are."""

from typing import cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

MAX_HEAD_BYTES = 64 * 1024

_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-length: 0\r\nconnection: close\r\n\r\n"
)


class BoundedHead(HttpToolsProtocol):
    """Uvicorn's protocol, whose parser collects a request line and headers of any length.

    It takes a second for some megabytes of one header, and the process waits meanwhile.
    """

    _collected = 0  # bytes since the parser told of anything: they are all in its memory

    def data_received(self, data: bytes) -> None:
        """Parse what came, unless it goes on and on."""
        self._collected += len(data)
        super().data_received(data)
        if self._collected > MAX_HEAD_BYTES and not self.transport.is_closing():
            cycle = cast("RequestResponseCycle | None", self.cycle)  # none before the first
            if cycle is None or cycle.response_complete:
                self.transport.write(_TOO_LARGE)
            self.transport.close()

    def on_headers_complete(self) -> None:
        self._collected = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._collected = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._collected = 0
        super().on_message_complete()
