"""Stopping a sleeping run: from the request until `cancelled` is seen by long poll."""

import json
import random
import time
from collections.abc import Callable

from rich.progress import Progress

from benchmarks.burst import open_stack
from benchmarks.caller import Caller, Json
from benchmarks.order import percentile
from benchmarks.processes import BenchmarkError
from benchmarks.report import Row

SAMPLES = 60
TARGET_MILLISECONDS = 300.0
_SLEEP = {"content": json.dumps({"do": [["sleep", 60]]})}
_WORD = {"content": json.dumps({"reply": "done"}), "on_busy": "interrupt"}
# Workers look by themselves once a second: a pause drawn anew keeps step with none of them.
_PAUSE_SECONDS = (0.1, 1.1)

Stop = Callable[[Caller, str, Json], object]


def measure(database: str, progress: Progress, *, samples: int = SAMPLES) -> list[Row]:
    """Stop `samples` runs in each way."""
    ways: dict[str, Stop] = {
        "POST runs/{id}/cancel": lambda caller, _, run: caller.post(f"/v1/runs/{run['id']}/cancel"),
        "POST messages, on_busy interrupt": lambda caller, session, _: caller.post(
            f"{session}/messages", _WORD
        ),
    }
    rows = []
    with open_stack(database) as stack, Caller(stack) as caller:
        task = progress.add_task(f"cancel, {stack.name}", total=len(ways) * samples)
        for name, stop in ways.items():
            taken = []
            for _ in range(samples):
                taken.append(_stopped(caller, stop))
                progress.advance(task)
            rows.append(_row(name, stack.name, taken))
    return rows


def _stopped(caller: Caller, stop: Stop) -> float:
    session = caller.session("scripted")
    run = caller.post(f"{session}/messages", _SLEEP)["run"]
    while caller.get(f"/v1/runs/{run['id']}")["status"] == "queued":
        time.sleep(0.01)
    time.sleep(random.uniform(*_PAUSE_SECONDS))
    began = time.perf_counter()
    stop(caller, session, run)
    ended = caller.get(f"/v1/runs/{run['id']}?wait=30")["status"]
    if ended != "cancelled":
        raise BenchmarkError(f"a run that was stopped is {ended}")
    return time.perf_counter() - began


def _row(way: str, on: str, seconds: list[float]) -> Row:
    p50, p95 = (1000 * percentile(seconds, share) for share in (0.5, 0.95))
    return Row(
        what=f"cancel: {way}, p95",
        on=on,
        measured=f"{p95:.0f} ms",
        target=f"<= {TARGET_MILLISECONDS:g} ms",
        met=p95 <= TARGET_MILLISECONDS,
        beside=f"p50 {p50:.0f} ms, worst {1000 * max(seconds):.0f} ms, {len(seconds)} samples",
    )
