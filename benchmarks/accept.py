"""Durable accept: POST …/messages to a 202, against the bare application and batches of one."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack

from rich.progress import Progress

from benchmarks import load, stacks
from benchmarks.load import Measured
from benchmarks.report import Row
from benchmarks.stacks import IDLE_POOL, Stack

SESSIONS = 500
WARM_UP_SECONDS = 1.0
AGAINST_SINGLE = 4.0
AGAINST_BARE = {"sqlite": 0.35, "postgres": 0.45}

Rounds = dict[str, list[Measured]]


def measure(
    database: str, progress: Progress, *, seconds: float = 5.0, rounds: int = 3
) -> list[Row]:
    """Measure bare, ours and batch size 1 in turn, `rounds` times, and compare the best."""
    with ExitStack() as opened:
        subjects = {
            "bare": opened.enter_context(stacks.bare()),
            "ours": opened.enter_context(_ours(database)),
            "single": opened.enter_context(_ours(database, batch_max=1)),
        }
        name = f"accept, {subjects['ours'].name}"
        task = progress.add_task(name, total=len(subjects) * (rounds + 1))
        paths = {key: _paths(stack) for key, stack in subjects.items()}
        measured: Rounds = {key: [] for key in subjects}
        for number in range(rounds + 1):
            for key, stack in subjects.items():
                length = seconds if number else WARM_UP_SECONDS
                measured[key].append(load.run(load.order(stack, paths[key], seconds=length), stack))
                progress.advance(task)
        counted = {key: all_of[1:] for key, all_of in measured.items()}
        return rows(subjects["ours"].name, counted, AGAINST_BARE[database])


def _ours(database: str, batch_max: int | None = None) -> AbstractContextManager[Stack]:
    if database == "sqlite":
        return stacks.embedded(batch_max=batch_max)
    return stacks.distributed(working=False, batch_max=batch_max)


def _paths(stack: Stack) -> list[str]:
    if stack.key is None:
        return [f"/v1/sessions/sess_{number:032x}/messages" for number in range(SESSIONS)]
    return load.inboxes(stack, IDLE_POOL, SESSIONS)


def rows(on: str, measured: Mapping[str, Sequence[Measured]], target: float) -> list[Row]:
    """Turn rounds into figures and ratios."""
    best = {key: max(each.outcome.rate for each in all_of) for key, all_of in measured.items()}
    against_bare, against_single = best["ours"] / best["bare"], best["ours"] / best["single"]
    return [
        *(_rate(f"accept: {key}", on, measured[key]) for key in ("bare", "ours", "single")),
        Row(
            what="accept: ours / bare",
            on=on,
            measured=f"{against_bare:.2f}x",
            target=f">= {target:g}x",
            met=against_bare >= target,
        ),
        Row(
            what="accept: ours / batch size 1",
            on=on,
            measured=f"{against_single:.1f}x",
            target=f">= {AGAINST_SINGLE:g}x",
            met=against_single >= AGAINST_SINGLE,
        ),
    ]


def _rate(what: str, on: str, measured: Sequence[Measured]) -> Row:
    best = max(measured, key=lambda each: each.outcome.rate)
    all_of = ", ".join(f"{each.outcome.rate:.0f}" for each in measured)
    return Row(
        what=what,
        on=on,
        measured=f"{best.outcome.rate:.0f}/s",
        beside=(
            f"{all_of}; p50 {best.outcome.p50 * 1000:.0f} ms, p99 {best.outcome.p99 * 1000:.0f} ms;"
            f" server CPU {best.cost:.2f} ms each; CPUs: server {best.server_cpus:.2f},"
            f" generator {best.generator_cpus:.2f}, rest {best.other_cpus:.2f}"
        ),
    )
