"""One server process that a test can stop, kill and start again on the same data."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

import psutil

from tests.services import free_port

START_SECONDS = 60.0
STOP_SECONDS = 30.0


class ServerError(Exception):
    """A server that did not start; its log's end is in the message."""


class Server(ABC):
    """One server process that can be stopped, killed and started again on the same data."""

    program: str
    package: str
    account: str
    stop_signal: signal.Signals

    def __init__(self) -> None:
        self.port = free_port()
        self._folder: Path | None = None
        self._process: psutil.Popen | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    @abstractmethod
    def url(self) -> str:
        """Where clients reach it."""

    @abstractmethod
    def command(self) -> Sequence[str]:
        """What runs in the foreground until it is told to stop."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether a client would be served now."""

    @abstractmethod
    def prepare(self) -> None:
        """Fill the new folder, once."""

    @classmethod
    def installed(cls) -> bool:
        return Path(find_program(cls.program)).is_absolute()

    def environment(self) -> Mapping[str, str]:
        return {}

    @property
    def folder(self) -> Path:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix=f"inturn-{self.account}-"))
            if os.geteuid() == 0:
                shutil.chown(self._folder, self.account, self.account)
            self.prepare()
        return self._folder

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._process = self.spawn(self.command())
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                log = (self.folder / "log").read_text(errors="replace")
                message = f"{self.package} did not start:\n{log[-2000:]}"
                raise ServerError(message)
            time.sleep(0.1)

    def stop(self) -> None:
        """End it in good order; clients are disconnected."""
        if self._process is not None:
            self._process.send_signal(self.stop_signal)
            with contextlib.suppress(subprocess.TimeoutExpired, psutil.TimeoutExpired):
                self._process.wait(STOP_SECONDS)
            self.kill()

    def kill(self) -> None:
        """`kill -9` of all its processes at once, as when the machine fails."""
        if self._process is not None:
            kill_tree(self._process)
            self._process = None

    def close(self) -> None:
        self.kill()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def spawn(self, command: Sequence[str]) -> psutil.Popen:
        account = self.account if os.geteuid() == 0 else None
        with (self.folder / "log").open("ab") as log:
            return psutil.Popen(
                command,
                cwd=self.folder,
                env={**os.environ, "HOME": str(self.folder), **self.environment()},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                user=account,
                group=account,
                extra_groups=[] if account else None,
                start_new_session=True,
            )


def find_program(name: str) -> str:
    """Path of a server's program, or its bare name; Debian keeps them off the path."""
    debian = sorted(Path("/usr/lib").glob("postgresql/*/bin"), reverse=True)
    folders = (*map(str, debian), "/usr/lib/rabbitmq/bin", os.environ.get("PATH", ""))
    return shutil.which(name, path=os.pathsep.join(folders)) or name


def kill_tree(process: psutil.Popen) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        family = [*process.children(recursive=True), process]
        for member in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.kill()
        psutil.wait_procs(family, STOP_SECONDS)
    process.wait()
