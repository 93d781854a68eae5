"""Idle pollers: each asks for the status of its session once a second, and nothing has moved."""

from contextlib import AbstractContextManager

from rich.progress import Progress

from benchmarks import load, stacks
from benchmarks.load import Measured
from benchmarks.order import Order
from benchmarks.report import Row
from benchmarks.stacks import IDLE_POOL, Stack

POLLERS = 2000
SECONDS = 15.0
WARM_UP_SECONDS = 3.0
INTERVAL = 1.0
MOST_CPUS = 0.7
LEAST_UNCHANGED = 0.95
_UNTOUCHED = '"native-1"'


def measure(
    database: str, progress: Progress, *, pollers: int = POLLERS, seconds: float = SECONDS
) -> list[Row]:
    """Let them poll for a while after a warm-up."""
    with open_stack(database) as stack:
        task = progress.add_task(f"pollers, {stack.name}", total=3)
        paths = statuses(stack, pollers)
        progress.advance(task)
        for length in (WARM_UP_SECONDS, seconds):
            measured = load.run(order(stack, paths, length), stack)
            progress.advance(task)
    return _rows(stack.name, measured, pollers)


def open_stack(database: str) -> AbstractContextManager[Stack]:
    """Open servers; apart, an ingress alone."""
    return stacks.embedded() if database == "sqlite" else stacks.distributed(working=False)


def statuses(stack: Stack, sessions: int) -> list[str]:
    """Create sessions, and return where each is polled."""
    inboxes = load.inboxes(stack, IDLE_POOL, sessions)
    return [path.removesuffix("messages") + "status" for path in inboxes]


def order(
    stack: Stack, paths: list[str], seconds: float, interval: float | None = INTERVAL
) -> Order:
    """Order polls: each on a connection of its own, or as many as can be answered."""
    connections = len(paths) if interval else load.CONNECTIONS
    return load.order(
        stack,
        paths,
        connections=connections,
        seconds=seconds,
        known=_UNTOUCHED,
        interval=interval,
    )


def _rows(on: str, measured: Measured, pollers: int) -> list[Row]:
    outcome = measured.outcome
    unchanged = outcome.statuses.get("304", 0) / sum(outcome.statuses.values())
    # On a machine that others use fewer come through; what counts is what all of them would cost.
    cpus = measured.cost / 1000 * pollers / INTERVAL
    return [
        Row(
            what=f"pollers: {pollers} at 1 Hz, server CPUs",
            on=on,
            measured=f"{cpus:.2f}",
            target=f"<= {MOST_CPUS:g}",
            met=cpus <= MOST_CPUS,
            beside=(
                f"{outcome.rate:.0f} answers/s, p50 {outcome.p50 * 1000:.1f} ms, p99"
                f" {outcome.p99 * 1000:.1f} ms, server CPU {measured.cost:.2f} ms each; CPUs:"
                f" server {measured.server_cpus:.2f}, generator {measured.generator_cpus:.2f},"
                f" rest {measured.other_cpus:.2f}"
            ),
        ),
        Row(
            what="pollers: answers that are 304",
            on=on,
            measured=f"{unchanged:.1%}",
            target=f">= {LEAST_UNCHANGED:.0%}",
            met=unchanged >= LEAST_UNCHANGED,
        ),
    ]
