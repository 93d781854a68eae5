"""One message at a time: from POST until `succeeded` is seen, by long poll and by `Prefer`."""

import random
import time
from collections.abc import Callable

from rich.progress import Progress

from benchmarks.burst import open_stack
from benchmarks.caller import Caller
from benchmarks.order import percentile
from benchmarks.processes import BenchmarkError
from benchmarks.report import Row
from benchmarks.stacks import Stack

SAMPLES = 100
WARM_UP = 10
TARGET_MILLISECONDS = {"sqlite": 25.0, "postgres": 60.0}
_PAUSE_SECONDS = (0.01, 0.05)  # drawn anew each time, to keep step with no timer
_BODY = {"content": "Where is my order 4711, and when will it arrive?"}

Ask = Callable[[Caller, str], str]


def measure(database: str, progress: Progress, *, samples: int = SAMPLES) -> list[Row]:
    """Ask `samples` times in each way, on one kept connection."""
    ways = {"POST, then GET ?wait=10": _by_long_poll, "POST with Prefer: wait=10": _by_preference}
    with open_stack(database) as stack:
        task = progress.add_task(f"idle, {stack.name}", total=len(ways) * (samples + WARM_UP))
        taken = {
            name: _times(stack, ask, samples, lambda: progress.advance(task))
            for name, ask in ways.items()
        }
    return [_row(database, name, stack.name, seconds) for name, seconds in taken.items()]


def _times(stack: Stack, ask: Ask, samples: int, tick: Callable[[], object]) -> list[float]:
    taken = []
    with Caller(stack) as caller:
        inbox = f"{caller.session('echo')}/messages"
        for _ in range(samples + WARM_UP):
            time.sleep(random.uniform(*_PAUSE_SECONDS))
            began = time.perf_counter()
            if (status := ask(caller, inbox)) != "succeeded":
                raise BenchmarkError(f"{stack.name}: a run is {status}")
            taken.append(time.perf_counter() - began)
            tick()
    return taken[WARM_UP:]


def _by_long_poll(caller: Caller, inbox: str) -> str:
    run = caller.post(inbox, _BODY)["run"]
    while run["status"] in {"queued", "running"}:
        run = caller.get(f"/v1/runs/{run['id']}?wait=10")
    return str(run["status"])


def _by_preference(caller: Caller, inbox: str) -> str:
    return str(caller.post(inbox, _BODY, Prefer="wait=10")["run"]["status"])


def _row(database: str, way: str, on: str, seconds: list[float]) -> Row:
    p50, p95 = (1000 * percentile(seconds, share) for share in (0.5, 0.95))
    target = TARGET_MILLISECONDS[database]
    return Row(
        what=f"idle: {way}, p50",
        on=on,
        measured=f"{p50:.1f} ms",
        target=f"<= {target:g} ms",
        met=p50 <= target,
        beside=f"p95 {p95:.1f} ms, best {1000 * min(seconds):.1f} ms, {len(seconds)} samples",
    )
