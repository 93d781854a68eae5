"""`python -m benchmarks`."""

import signal
import sys
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Annotated

import typer
from rich.progress import Progress

from benchmarks import accept as accepting
from benchmarks import answered as answering
from benchmarks import batch as batching
from benchmarks import burst as bursting
from benchmarks import cancel as cancelling
from benchmarks import idle as idling
from benchmarks import paging as pages
from benchmarks import pollers as polling
from benchmarks import profiler
from benchmarks import sockets as joined
from benchmarks.processes import BenchmarkError
from benchmarks.report import Row, machine, progress, table
from benchmarks.stacks import lacking

app = typer.Typer(no_args_is_help=True, add_completion=False)


class On(StrEnum):
    """SQLite: `inturn serve`; PostgreSQL (with RabbitMQ): processes apart."""

    SQLITE = "sqlite"
    POSTGRES = "postgres"


class Load(StrEnum):
    """What keeps the servers busy."""

    ACCEPT = "accept"
    BATCH = "batch"
    BURST = "burst"
    POLL = "poll"


Where = Annotated[list[On] | None, typer.Option("--on", help="Where; both if left out.")]
Rounds = Annotated[int, typer.Option(min=1, help="The best of so many counts.")]
Seconds = Annotated[float, typer.Option(min=1, max=120, help="Length of a round.")]
Runs = Annotated[int, typer.Option(min=1, max=100_000, help="Runs in a burst.")]
Samples = Annotated[int, typer.Option(min=10, max=10_000, help="Messages, one at a time.")]

Measure = Callable[[str, Progress], list[Row]]


@app.callback()
def benchmarks() -> None:
    """Measure this checkout on this machine; tables go to stdout, progress to stderr.

    PostgreSQL and RabbitMQ are taken where the tests look for them. Databases, queues and
    folders are made for the run and removed after it. Exit code 1: a target was missed; 2: a
    measurement failed.
    """


@app.command()
def accept(on: Where = None, seconds: Seconds = 5.0, rounds: Rounds = 3) -> None:
    """Durable accepts a second, against a bare FastAPI route and against batches of one."""
    _report(on, [lambda d, p: accepting.measure(d, p, seconds=seconds, rounds=rounds)])


@app.command()
def batch(on: Where = None, seconds: Seconds = 5.0, rounds: Rounds = 3) -> None:
    """Durable accepts a second in batches of 500 to sessions of their own."""
    _report(on, [lambda d, p: batching.measure(d, p, seconds=seconds, rounds=rounds)])


@app.command()
def answered(on: Where = None) -> None:
    """10,000 messages by batch to 1,000 sessions: every one answered once, in order."""
    _report(on, [answering.measure])


@app.command()
def burst(on: Where = None, runs: Runs = bursting.RUNS, rounds: Rounds = 3) -> None:
    """Echo runs a second over 500 sessions, from the first POST until all are settled."""
    _report(on, [lambda d, p: bursting.measure(d, p, runs=runs, rounds=rounds)])


@app.command()
def idle(on: Where = None, samples: Samples = idling.SAMPLES) -> None:
    """Time from POST until `succeeded` is seen, one message at a time."""
    _report(on, [lambda d, p: idling.measure(d, p, samples=samples)])


@app.command()
def pollers(on: Where = None, seconds: Seconds = polling.SECONDS) -> None:
    """CPU of the server while 2,000 pollers ask for a status once a second, nothing moving."""
    _report(on, [lambda d, p: polling.measure(d, p, seconds=seconds)])


@app.command()
def sockets(on: Where = None) -> None:
    """500 sockets in 500 sessions: memory of each, and how late each answer is heard."""
    _report(on, [joined.measure])


@app.command()
def cancel(on: Where = None, samples: Samples = cancelling.SAMPLES) -> None:
    """Time from asking a sleeping run to stop until `cancelled` is seen."""
    _report(on, [lambda d, p: cancelling.measure(d, p, samples=samples)])


@app.command()
def paging(on: Where = None, samples: Samples = pages.SAMPLES) -> None:
    """Page 1,000 of a session of 100,000 messages against page 1, and its status."""
    _report(on, [lambda d, p: pages.measure(d, p, samples=samples)])


@app.command(name="all")
def all_of_them(on: Where = None) -> None:
    """All of the above, in one table; about ten minutes."""
    _report(
        on,
        [
            accepting.measure,
            batching.measure,
            bursting.measure,
            idling.measure,
            polling.measure,
            joined.measure,
            cancelling.measure,
            pages.measure,
        ],
    )


@app.command()
def profile(
    load: Load,
    on: Annotated[On, typer.Option("--on", help="Where.")] = On.SQLITE,
    seconds: Seconds = 10.0,
) -> None:
    """Where the servers' CPU time goes under load, sampled in their processes."""
    try:
        sys.stdout.write(profiler.profile(load, on, seconds) + "\n")
    except BenchmarkError as error:
        typer.echo(f"benchmarks: {error}", err=True)
        raise typer.Exit(2) from None


def _report(on: list[On] | None, measures: Sequence[Measure]) -> None:
    rows: list[Row] = []
    failed = False
    with progress() as shown:
        for measure in measures:
            for database in _available(on):
                try:
                    rows += measure(database, shown)
                except BenchmarkError as error:
                    typer.echo(f"benchmarks: {error}", err=True)
                    failed = True
    sys.stdout.write(f"{table(rows)}\n\n{machine()}\n")
    raise typer.Exit(2 if failed else any(row.met is False for row in rows))


def _available(on: list[On] | None) -> list[On]:
    wanted = on or list(On)
    reason = lacking() if On.POSTGRES in wanted else None
    if reason:
        typer.echo(f"benchmarks: {reason}; skipped.", err=True)
    return [each for each in wanted if each is On.SQLITE or not reason]


if __name__ == "__main__":
    # As an exception, so that servers, databases and folders are put away.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    app()
