"""Processes that a benchmark starts, watches and ends by their ids."""

import contextlib
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

import httpx
import psutil

START_SECONDS = 30.0
STOP_SECONDS = 20.0


class BenchmarkError(Exception):
    """Something that makes the figures worthless."""


class Server:
    """One module of ours as a process, its output in a file, until the block is left."""

    def __init__(
        self, role: str, arguments: Sequence[str], folder: Path, environment: Mapping[str, str]
    ) -> None:
        self.role = role
        self._log = folder / f"{role}.log"
        with self._log.open("ab") as log:
            self._process = psutil.Popen(
                [sys.executable, "-m", *arguments],
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Ask for an end; what does not hear is killed."""
        family = self.family
        with contextlib.suppress(psutil.NoSuchProcess):
            self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired, psutil.TimeoutExpired):
            self._process.wait(STOP_SECONDS)
        for member in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.kill()
        self._process.wait()

    @property
    def family(self) -> list[psutil.Process]:
        """The process and its children."""
        with contextlib.suppress(psutil.NoSuchProcess):
            return [self._process, *self._process.children(recursive=True)]
        return []

    @property
    def cpu_seconds(self) -> float:
        """What it and its children have used until now."""
        times = [member.cpu_times() for member in self.family]
        return sum(each.user + each.system for each in times)

    def until_ready(self, url: str) -> None:
        """Wait until the server answers there."""
        deadline = time.monotonic() + START_SECONDS
        while not _answers(url):
            self.check()
            if time.monotonic() > deadline:
                raise BenchmarkError(f"{self.role} does not answer at {url}:\n{self.said}")
            time.sleep(0.05)

    def check(self) -> None:
        """Raise if it has ended."""
        if self._process.poll() is not None:
            raise BenchmarkError(f"{self.role} ended:\n{self.said}")

    @property
    def said(self) -> str:
        """The end of what it printed."""
        return self._log.read_text(errors="replace")[-2000:]


def _answers(url: str) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(f"{url}/readyz", trust_env=False).is_success
    return False


def machine_cpu_seconds() -> float:
    """What everything on this machine has used until now."""
    times = psutil.cpu_times()
    return float(times.user + times.system + times.nice + times.irq + times.softirq)
