"""One message at a time: from POST until `succeeded` is seen, by long poll and by `Prefer`."""

import random
import time
from collections.abc import Callable
from contextlib import closing
from http.client import HTTPConnection
from typing import Any

import orjson
from rich.progress import Progress

from benchmarks import load
from benchmarks.burst import open_stack
from benchmarks.order import percentile
from benchmarks.processes import BenchmarkError
from benchmarks.report import Row
from benchmarks.stacks import KEY, Stack
from tests.services import LOOPBACK

SAMPLES = 100
WARM_UP = 10
TARGET_MILLISECONDS = 25.0
_PAUSE_SECONDS = (0.01, 0.05)  # drawn anew each time, to keep step with no timer
_HEADERS = {"X-API-Key": KEY, "Content-Type": "application/json"}

Json = dict[str, Any]
Ask = Callable[[HTTPConnection, str], str]


def measure(database: str, progress: Progress, *, samples: int = SAMPLES) -> list[Row]:
    """Ask `samples` times in each way, on one kept connection."""
    ways = {"POST, then GET ?wait=10": _by_long_poll, "POST with Prefer: wait=10": _by_preference}
    with open_stack(database) as stack:
        task = progress.add_task(f"idle, {stack.name}", total=len(ways) * (samples + WARM_UP))
        taken = {
            name: _times(stack, ask, samples, lambda: progress.advance(task))
            for name, ask in ways.items()
        }
    return [_row(name, stack.name, seconds) for name, seconds in taken.items()]


def _times(stack: Stack, ask: Ask, samples: int, tick: Callable[[], object]) -> list[float]:
    [inbox] = load.inboxes(stack, "echo", 1)
    taken = []
    with closing(HTTPConnection(LOOPBACK, stack.port, timeout=30)) as connection:
        for _ in range(samples + WARM_UP):
            time.sleep(random.uniform(*_PAUSE_SECONDS))
            began = time.perf_counter()
            if (status := ask(connection, inbox)) != "succeeded":
                raise BenchmarkError(f"{stack.name}: a run is {status}")
            taken.append(time.perf_counter() - began)
            tick()
    return taken[WARM_UP:]


def _by_long_poll(connection: HTTPConnection, inbox: str) -> str:
    run = _ask(connection, "POST", inbox)["run"]
    while run["status"] in {"queued", "running"}:
        run = _ask(connection, "GET", f"/v1/runs/{run['id']}?wait=10")
    return str(run["status"])


def _by_preference(connection: HTTPConnection, inbox: str) -> str:
    return str(_ask(connection, "POST", inbox, {"Prefer": "wait=10"})["run"]["status"])


def _ask(
    connection: HTTPConnection, method: str, path: str, headers: dict[str, str] | None = None
) -> Json:
    body = load.BODY.encode() if method == "POST" else None
    connection.request(method, path, body, _HEADERS | (headers or {}))
    with connection.getresponse() as answer:
        said = answer.read()
        if answer.status not in {200, 202}:
            raise BenchmarkError(f"{method} {path}: {answer.status} {said[:200]!r}")
        answered: Json = orjson.loads(said)
        return answered


def _row(way: str, on: str, seconds: list[float]) -> Row:
    p50, p95 = (1000 * percentile(seconds, share) for share in (0.5, 0.95))
    # Between processes a waiter looks every half second.
    promised = "embedded" in on
    return Row(
        what=f"idle: {way}, p50",
        on=on,
        measured=f"{p50:.1f} ms",
        target=f"<= {TARGET_MILLISECONDS:g} ms" if promised else "",
        met=p50 <= TARGET_MILLISECONDS if promised else None,
        beside=f"p95 {p95:.1f} ms, best {1000 * min(seconds):.1f} ms, {len(seconds)} samples",
    )
