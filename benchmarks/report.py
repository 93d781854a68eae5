"""Figures as a markdown table, and the machine they were measured on."""

import os
import platform
import sqlite3
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.database import describe_postgres
from benchmarks.stacks import lacking
from tests import services

COLUMNS = ("what", "on", "measured", "target", "", "rounds and beside it")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One figure; without a target it is there to be compared."""

    what: str
    on: str
    measured: str
    target: str = ""
    met: bool | None = None
    beside: str = ""

    @property
    def cells(self) -> tuple[str, ...]:
        """The cells of its line."""
        verdict = {None: "", True: "met", False: "**missed**"}[self.met]
        return (self.what, self.on, self.measured, self.target, verdict, self.beside)


def table(rows: Sequence[Row]) -> str:
    """Print rows as markdown."""
    lines = [COLUMNS, ("---",) * len(COLUMNS), *(row.cells for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def machine() -> str:
    """Say what all this ran on."""
    memory = psutil.virtual_memory().total / (1 << 30)
    parts = [
        f"{os.cpu_count()} cores ({_processor()}), {memory:.0f} GiB",
        f"{platform.system()} {platform.release()}",
        f"Python {platform.python_version()}",
        f"SQLite {sqlite3.sqlite_version} (synchronous FULL)",
    ]
    if lacking() is None:
        parts.append(describe_postgres(services.database_url()))
    return ", ".join(parts) + "; load generator and everything else on the same cores."


def _processor() -> str:
    known = Path("/proc/cpuinfo")
    names = known.read_text().splitlines() if known.exists() else []
    named = (line.partition(":")[2].strip() for line in names if line.startswith("model name"))
    return next(named, platform.machine())


def progress() -> Progress:
    """Make a progress display on stderr, so that stdout is the table alone."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(file=sys.stderr),
    )
