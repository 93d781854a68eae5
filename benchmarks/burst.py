"""A burst of echo runs, posted singly with workers on, until all are settled.

Settled is what the database says, asked from outside every 50 ms; the clock starts with the
generator's first request and stops when the last run was seen settled.
"""

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from rich.progress import Progress, TaskID

from benchmarks import load, stacks
from benchmarks.load import Measured
from benchmarks.processes import BenchmarkError
from benchmarks.report import Row
from benchmarks.stacks import Stack

SESSIONS = 500
RUNS = 5000
WARM_UP_RUNS = 500
TARGETS = {"sqlite": 500.0, "postgres": 600.0}
_LONGEST_SECONDS = 120.0
_LOOK_SECONDS = 0.05
_SETTLED = "SELECT count(*) FROM runs WHERE settled_at IS NOT NULL"
_RESULTS = """
SELECT (SELECT count(*) FROM runs),
       (SELECT count(*) FROM runs WHERE status = 'succeeded' AND attempt = 1),
       (SELECT count(*) FROM messages WHERE role = 'assistant')
"""


@dataclass(frozen=True, kw_only=True)
class Burst:
    """One burst: runs a second until the last was seen settled, and how it was posted."""

    rate: float
    posted: Measured


def measure(database: str, progress: Progress, *, runs: int = RUNS, rounds: int = 3) -> list[Row]:
    """Send `rounds` bursts after a small one, and take the best."""
    with open_stack(database) as stack:
        task = progress.add_task(f"burst, {stack.name}", total=WARM_UP_RUNS + rounds * runs)
        burst(stack, WARM_UP_RUNS, progress, task)
        bursts = [burst(stack, runs, progress, task) for _ in range(rounds)]
        _check(stack, WARM_UP_RUNS + rounds * runs)
    return [row(stack.name, bursts, TARGETS[database])]


def open_stack(database: str) -> AbstractContextManager[Stack]:
    """Open servers with workers."""
    return stacks.embedded() if database == "sqlite" else stacks.distributed(working=True)


def burst(stack: Stack, runs: int, progress: Progress, task: TaskID) -> Burst:
    """Post `runs` messages to new sessions and wait until all of them are settled."""
    paths = load.inboxes(stack, "echo", SESSIONS)
    [before] = stack.numbers(_SETTLED)
    shown = progress.tasks[task].completed

    def settled() -> int:
        [now] = stack.numbers(_SETTLED)
        progress.update(task, completed=shown + now - before)
        return now - before

    posted = load.run(load.order(stack, paths, total=runs), stack, settled)
    deadline = time.monotonic() + _LONGEST_SECONDS
    while settled() < runs:
        stack.check()
        if time.monotonic() > deadline:
            raise BenchmarkError(f"{stack.name}: {settled()} of {runs} settled")
        time.sleep(_LOOK_SECONDS)
    return Burst(rate=runs / (time.time() - posted.outcome.began_at), posted=posted)


def _check(stack: Stack, runs: int) -> None:
    """Every run succeeded at its first attempt, with one answer."""
    if (results := stack.numbers(_RESULTS)) != [runs] * 3:
        raise BenchmarkError(f"{stack.name}: {results} runs, successes, answers; sent {runs}")


def row(on: str, bursts: Sequence[Burst], target: float) -> Row:
    """Report the best burst."""
    best = max(bursts, key=lambda each: each.rate)
    posted = best.posted
    all_of = ", ".join(f"{each.rate:.0f}" for each in bursts)
    return Row(
        what="burst: echo runs until settled",
        on=on,
        measured=f"{best.rate:.0f}/s",
        target=f">= {target:g}/s",
        met=best.rate >= target,
        beside=(
            f"{all_of}; posted at {posted.outcome.rate:.0f}/s, p99 {posted.outcome.p99 * 1000:.0f}"
            f" ms; CPUs while posting: servers {posted.server_cpus:.2f}, generator"
            f" {posted.generator_cpus:.2f}, rest {posted.other_cpus:.2f}"
        ),
    )
