"""The command `inturn`, as real processes with an environment of their own, or here."""

import contextlib
import io
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self, TypeVar
from unittest import mock

import httpx
import psutil
import structlog

from inturn.main import app
from shared.settings import PREFIX, Settings, variable

T = TypeVar("T")

START_SECONDS = 30.0
STOP_SECONDS = 30.0
_INTURN = [str(Path(sys.executable).parent / "inturn")]


def eventually(found: Callable[[], T], within: float, what: object) -> T:
    """Poll until `found` returns something true."""
    deadline = time.monotonic() + within
    while not (value := found()):
        assert time.monotonic() < deadline, f"not within {within:g} s: {what}"
        time.sleep(0.05)
    return value


def environment(folder: Path, settings: Mapping[str, object]) -> dict[str, str]:
    """This process's environment with no other settings than these."""
    known = {variable(name) for name in Settings.model_fields}
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in known and not name.startswith(PREFIX)
    }
    given = {variable(name): str(value) for name, value in settings.items()}
    return {**inherited, "INTURN_DATA_DIR": str(folder / "data"), **given}


def run(
    *arguments: str, folder: Path, stdin: str | None = None, **settings: object
) -> subprocess.CompletedProcess[str]:
    """Run a verb to its end."""
    return subprocess.run(
        [*_INTURN, *arguments],
        cwd=folder,
        env=environment(folder, settings),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def run_here(
    *arguments: str, folder: Path, stdin: str | None = None, **settings: object
) -> subprocess.CompletedProcess[str]:
    """Run a verb to its end in this process: what it says is the same, and its start is free."""
    said, complained = io.StringIO(), io.StringIO()
    with (
        contextlib.chdir(folder),
        mock.patch.dict(os.environ, environment(folder, settings), clear=True),
        mock.patch.object(sys, "argv", ["inturn", *arguments]),
        mock.patch.object(sys, "stdin", io.StringIO(stdin or "")),
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(complained),
        mock.patch.object(logging.root, "handlers", logging.root.handlers[:]),
    ):
        code = _exit_code()
    structlog.reset_defaults()
    return subprocess.CompletedProcess(arguments, code, said.getvalue(), complained.getvalue())


def _exit_code() -> int:
    try:
        app()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 0
    return 0


class Process:
    """A verb that goes on until it is told to stop."""

    def __init__(self, *arguments: str, folder: Path, url: str, **settings: object) -> None:
        self.url = url
        self.log = folder / f"{arguments[0]}-{url.rpartition(':')[2]}.log"
        with self.log.open("ab") as log:
            self._process = psutil.Popen(
                [*_INTURN, *arguments],
                cwd=folder,
                env=environment(folder, settings),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def said(self) -> str:
        """What it printed until now."""
        return self.log.read_text(errors="replace")

    @property
    def exit_code(self) -> int | None:
        """Null while it lives."""
        code = self._process.poll()
        return None if code is None else int(code)

    def until_ready(self) -> Self:
        """Wait for its `/readyz`."""
        eventually(self._ready, START_SECONDS, f"{self.url}/readyz\n{self.log}")
        return self

    def _ready(self) -> bool:
        assert self._process.poll() is None, self.said
        with contextlib.suppress(httpx.TransportError):
            answer = httpx.get(f"{self.url}/readyz", trust_env=False)
            return answer.status_code == httpx.codes.OK
        return False

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end, and return its exit code."""
        self._process.send_signal(number)
        return int(self._process.wait(STOP_SECONDS))

    def kill(self) -> None:
        """`kill -9` of it and its children."""
        with contextlib.suppress(psutil.NoSuchProcess):
            family = [*self._process.children(recursive=True), self._process]
            for member in family:
                with contextlib.suppress(psutil.NoSuchProcess):
                    member.kill()
        self._process.wait()
