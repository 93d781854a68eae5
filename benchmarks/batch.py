"""Durable accepts in batches: POST /v1/messages:batch, messages a second that are on disk."""

from collections.abc import Sequence
from contextlib import AbstractContextManager

import orjson
from rich.progress import Progress

from benchmarks import load, stacks
from benchmarks.load import Measured
from benchmarks.order import Order
from benchmarks.processes import BenchmarkError
from benchmarks.report import Row
from benchmarks.stacks import IDLE_POOL, Stack

SESSIONS = 2000
SIZE = 500
CONNECTIONS = 4
WARM_UP_SECONDS = 1.0
TARGETS = {"sqlite": 5000.0, "postgres": None}
PATH = "/v1/messages:batch"
_STORED = "SELECT (SELECT count(*) FROM messages), (SELECT count(*) FROM runs)"
_CONTENT = orjson.loads(load.BODY)["content"]


def measure(
    database: str, progress: Progress, *, seconds: float = 5.0, rounds: int = 3
) -> list[Row]:
    """Post to the same sessions, `rounds` times after a warm-up, and take the best."""
    with open_stack(database) as stack:
        task = progress.add_task(f"batch, {stack.name}", total=rounds + 1)
        measured: list[Measured] = []
        posts = bodies(stack)
        for number in range(rounds + 1):
            length = seconds if number else WARM_UP_SECONDS
            measured.append(load.run(order(stack, posts, length), stack))
            progress.advance(task)
        _check(stack, SIZE * sum(each.outcome.accepted for each in measured))
    return [row(stack.name, measured[1:], TARGETS[database])]


def open_stack(database: str) -> AbstractContextManager[Stack]:
    """Open servers whose workers leave the messages alone."""
    return stacks.embedded() if database == "sqlite" else stacks.distributed(working=False)


def bodies(stack: Stack) -> list[str]:
    """Create sessions, and write batches of SIZE messages, each to a session of its own."""
    sessions = [path.split("/")[3] for path in load.inboxes(stack, IDLE_POOL, SESSIONS)]
    items = [{"session_id": each, "content": _CONTENT} for each in sessions]
    batches = (items[start : start + SIZE] for start in range(0, SESSIONS, SIZE))
    return [orjson.dumps(each).decode() for each in batches]


def order(stack: Stack, posts: Sequence[str], seconds: float) -> Order:
    """Post batches for so long."""
    return load.order(stack, [PATH], posts=posts, connections=CONNECTIONS, seconds=seconds)


def _check(stack: Stack, messages: int) -> None:
    """Every message of every batch is there, with its run."""
    if (stored := stack.numbers(_STORED)) != [messages] * 2:
        raise BenchmarkError(f"{stack.name}: {stored} messages and runs stored, {messages} sent")


def row(on: str, measured: Sequence[Measured], target: float | None) -> Row:
    """Report the best round."""
    best = max(measured, key=lambda each: each.outcome.rate)
    all_of = ", ".join(f"{each.outcome.rate * SIZE:.0f}" for each in measured)
    rate = best.outcome.rate * SIZE
    return Row(
        what=f"batch: messages accepted, {SIZE} a batch",
        on=on,
        measured=f"{rate:.0f}/s",
        target=f">= {target:g}/s" if target else "",
        met=rate >= target if target else None,
        beside=(
            f"{all_of}; p50 of a batch {best.outcome.p50 * 1000:.0f} ms, p99"
            f" {best.outcome.p99 * 1000:.0f} ms; server CPU {1000 * best.cost / SIZE:.0f} us a"
            f" message; CPUs: server {best.server_cpus:.2f}, generator"
            f" {best.generator_cpus:.2f}, rest {best.other_cpus:.2f}"
        ),
    )
