"""Deep paging: a session of 100,000 messages, its first page against its thousandth."""

import statistics
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial

from rich.progress import Progress

from benchmarks import history, stacks
from benchmarks.caller import Caller, Json
from benchmarks.report import Row
from benchmarks.stacks import Stack

PAGE, LIMIT = 1000, 50
SAMPLES = 200
MOST = 1.5


def measure(database: str, progress: Progress, *, samples: int = SAMPLES) -> list[Row]:
    """Read pages and statuses in turn, and compare their medians."""
    with _open(database) as stack, Caller(stack) as caller:
        task = progress.add_task(f"paging, {stack.name}", total=2 * PAGE + samples)
        ticked = partial(progress.advance, task)
        long, short = f"/v1/sessions/{history.LONG}", caller.session("echo")
        first = f"{long}/messages?limit={LIMIT}"
        newest = f"/api/messaging/sessions/{history.LONG}/messages?limit={LIMIT}"
        paths = {"page 1": first, "page 1,000": _walk(caller, first, _cursor, ticked)}
        paths |= {"newest 50": newest, "1,000th before": _walk(caller, newest, _before, ticked)}
        paths["status"] = f"{long}/status"
        paths["status of an empty session"] = f"{short}/status"
        taken: dict[str, list[float]] = {name: [] for name in paths}
        for _ in range(samples):
            for name, path in paths.items():
                taken[name].append(caller.seconds(path))
            progress.advance(task)
    medians = {name: statistics.median(seconds) for name, seconds in taken.items()}
    return [
        _row(stack.name, medians, "page 1,000", "page 1"),
        _row(stack.name, medians, "1,000th before", "newest 50"),
        _row(stack.name, medians, "status", "status of an empty session"),
    ]


def _open(database: str) -> AbstractContextManager[Stack]:
    if database == "sqlite":
        return stacks.embedded(filled=history.fill)
    return stacks.distributed(working=False, filled=history.fill)


def _walk(caller: Caller, first: str, on: Callable[[Json], str], tick: Callable[[], object]) -> str:
    """Go from page to page; return the path of the thousandth."""
    path = first
    for _ in range(PAGE - 1):
        path = f"{first}&{on(caller.get(path))}"
        tick()
    return path


def _cursor(page: Json) -> str:
    return f"cursor={page['next_cursor']}"


def _before(page: Json) -> str:
    return f"before={page['cursors']['before']}"


def _row(on: str, medians: dict[str, float], what: str, against: str) -> Row:
    ratio = medians[what] / medians[against]
    return Row(
        what=f"paging: {what} / {against}",
        on=on,
        measured=f"{ratio:.2f}x",
        target=f"<= {MOST:g}x",
        met=ratio <= MOST,
        beside=", ".join(f"{name} {1000 * medians[name]:.2f} ms" for name in (what, against)),
    )
