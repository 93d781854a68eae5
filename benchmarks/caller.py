"""One kept connection that asks and waits, for what is measured one request at a time."""

import time
from http.client import HTTPConnection
from types import TracebackType
from typing import Any, Self

import orjson

from benchmarks.processes import BenchmarkError
from benchmarks.stacks import KEY, Stack
from tests.services import LOOPBACK

Json = dict[str, Any]

_HEADERS = {"X-API-Key": KEY, "Content-Type": "application/json"}


class Caller:
    """Asks a stack; anything but success is a BenchmarkError."""

    def __init__(self, stack: Stack) -> None:
        self._connection = HTTPConnection(LOOPBACK, stack.port, timeout=30)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self._connection.close()

    def post(self, path: str, body: Json | None = None, **headers: str) -> Json:
        """POST, and return what is answered."""
        return self._ask("POST", path, orjson.dumps(body or {}), headers)

    def get(self, path: str) -> Json:
        """GET, and return what is answered."""
        return self._ask("GET", path, None, {})

    def session(self, agent: str) -> str:
        """Create a session, and return its path."""
        return f"/v1/sessions/{self.post('/v1/sessions', {'agent': agent})['id']}"

    def seconds(self, path: str) -> float:
        """GET, and say how long it took."""
        began = time.perf_counter()
        self.get(path)
        return time.perf_counter() - began

    def _ask(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Json:
        self._connection.request(method, path, body, _HEADERS | headers)
        with self._connection.getresponse() as answer:
            said = answer.read()
        if answer.status not in {200, 201, 202}:
            raise BenchmarkError(f"{method} {path}: {answer.status} {said[:200]!r}")
        answered: Json = orjson.loads(said)
        return answered
