"""Where the servers' CPU time goes under load."""

import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from benchmarks import batch, burst, load, pollers, stacks
from benchmarks.order import Order
from benchmarks.stacks import ROOT, Stack

WARM_UP_SECONDS = 2.0
_TOP = 60
_TOP_LINES = 12
_LEAST = 0.02
_PREAMBLE = ("runpy", "typer/", "__main__", "threading.py", "asyncio/runners.py", " inturn/")


def profile(what: str, database: str, seconds: float) -> str:
    """Load a stack for `seconds`; return a table per process, in markdown."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with _sampled(folder, what, database) as stack:
            order = _orders(what, stack)
            load.run(order(WARM_UP_SECONDS), stack)
            (folder / "begin").touch()
            used, began = stack.cpu_seconds, time.monotonic()
            measured = load.run(order(seconds), stack)
            used, took = stack.cpu_seconds - used, time.monotonic() - began
            members = [
                (server.role, folder / f"{member.pid}.txt")
                for server in stack.servers
                for member in server.family
            ]
        head = (
            f"{stack.name}: {measured.outcome.rate:.0f} accepted/s while sampled, "
            f"{used / took:.2f} CPUs, {measured.cost:.2f} ms CPU of the servers each"
        )
        tables = [summary(role, file) for role, file in members if file.exists()]
    return "\n\n".join([head, *tables])


@contextmanager
def _sampled(folder: Path, what: str, database: str) -> Iterator[Stack]:
    ours = {
        "PYTHONPATH": str(Path(__file__).with_name("sampling")),
        "BENCHMARK_SAMPLES": str(folder),
    }
    before = {name: os.environ.get(name) for name in ours}
    os.environ.update(ours)
    try:
        opened = _open(what, database)
        with opened as stack:
            for name in ours:  # the servers have them; the load generator shall not
                os.environ.pop(name)
            yield stack
    finally:
        os.environ.update({name: value for name, value in before.items() if value is not None})


def _orders(what: str, stack: Stack) -> Callable[[float], Order]:
    """Return what is ordered of a stack for so many seconds."""
    if what == "batch":
        bodies = batch.bodies(stack)
        return lambda seconds: batch.order(stack, bodies, seconds)
    if what == "poll":
        polled = pollers.statuses(stack, pollers.POLLERS)
        return lambda seconds: pollers.order(stack, polled, seconds, interval=None)
    agent = stacks.IDLE_POOL if what == "accept" else "echo"
    paths = load.inboxes(stack, agent, burst.SESSIONS)
    return lambda seconds: load.order(stack, paths, seconds=seconds)


def _open(what: str, database: str) -> AbstractContextManager[Stack]:
    if what == "burst":
        return burst.open_stack(database)
    return stacks.embedded() if database == "sqlite" else stacks.distributed(working=False)


def summary(role: str, file: Path) -> str:
    """Sum up collapsed stacks: the share of time within a function, and in its own lines."""
    within: Counter[str] = Counter()
    own: Counter[str] = Counter()
    packages: Counter[str] = Counter()
    for line in file.read_text().splitlines():
        frames, _, count = line.rpartition(" ")
        names = [_function(frame) for frame in frames.split(";")]
        spent = int(count)
        own[names[-1]] += spent
        packages[_package(names[-1])] += spent
        for name in {name for name in names if _tells(name)}:
            within[name] += spent
    total = own.total() or 1
    lines = [f"{role}: {total / 1e6:.1f} s of CPU", "", "| within | own | function |"]
    lines.append("| --- | --- | --- |")
    for name, spent in within.most_common(_TOP):
        if spent > _LEAST * total:
            lines.append(f"| {spent / total:.1%} | {own[name] / total:.1%} | `{name}` |")
    return "\n".join(
        [
            *lines,
            "",
            _most("own time by function", own, total),
            _most("by package", packages, total),
        ]
    )


def _most(title: str, counted: Counter[str], total: int) -> str:
    parts = (f"{name} {n / total:.1%}" for name, n in counted.most_common(_TOP_LINES))
    return f"{title}: {', '.join(parts)}."


def _tells(name: str) -> bool:
    return not any(part in name for part in _PREAMBLE)


def _package(name: str) -> str:
    parts = name.rpartition(" ")[2].split("/")
    return "/".join(parts[: 2 if parts[0] == "shared" else 1])


def _function(frame: str) -> str:
    """Shorten `f (/long/path/site-packages/a/b.py:12)` to `f a/b.py`."""
    name, _, place = frame.partition(" (")
    path = place.rstrip(")").rpartition(":")[0]
    for root in ("site-packages/", f"{ROOT}/", "/python3.11/"):
        path = path.rpartition(root)[2]
    return f"{name} {path}"
