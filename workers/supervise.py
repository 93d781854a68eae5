"""`inturn worker`: keeps its children running, and ends them in order.

Each child is a Dramatiq command line with one process: given several, Dramatiq takes all of
them down when one dies, and a run that kills its worker would take the others' runs with it.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from types import FrameType

import structlog

from shared import clock
from shared.domain.retry import RetryPolicy, backoff
from shared.settings import Settings
from workers import exits
from workers.child import Child
from workers.house import DRAIN_MARGIN_SECONDS
from workers.timing import Timing

log = structlog.get_logger(__name__)

_PATIENCE = RetryPolicy(base_seconds=0.5, max_seconds=30.0)
_STEADY_SECONDS = 30.0  # who lived this long starts the backoff afresh
_LOOK_SECONDS = 0.2
_DRAMATIQ_SHUTDOWN_SECONDS = 5.0
_CLOSE_SECONDS = 15.0  # Dramatiq's own threads, the platform, the interpreter

Spawn = Callable[[Child], "subprocess.Popen[bytes]"]


class Nursery:
    """One child and its replacements."""

    def __init__(self, child: Child, spawn: Spawn, timing: Timing) -> None:
        self._child = child
        self._spawn = spawn
        self._timing = timing
        self._setbacks = 0
        self._born_at = timing.monotonic()
        self._due_at: float | None = None
        self.process = spawn(child)

    @property
    def alive(self) -> bool:
        """Whether the child lives."""
        return self.process.poll() is None

    @property
    def refused(self) -> bool:
        """Whether the first child could not start, for a reason that will not pass."""
        return self._setbacks == 0 and self.process.poll() == exits.REFUSED

    def look(self) -> None:
        """Replace a dead child, when its time has come."""
        if self.alive:
            return
        now = self._timing.monotonic()
        if self._due_at is None:
            self._due_at = now + self._mourn(now - self._born_at)
        elif now >= self._due_at:
            self._due_at, self._born_at = None, now
            self.process = self._spawn(self._child)

    def signal(self, number: int) -> None:
        """Signal the child's whole group."""
        if self.alive:
            os.killpg(self.process.pid, number)

    def ask(self) -> None:
        """Ask the child to drain: Dramatiq's master passes it on, once."""
        if self.alive:
            self.process.terminate()

    def _mourn(self, lived: float) -> float:
        self._setbacks = 1 if lived > _STEADY_SECONDS else self._setbacks + 1
        seconds = backoff(_PATIENCE, self._setbacks, self._timing.uniform)
        log.error(
            "child_died",
            child=self._child.number,
            exit_code=self.process.returncode,
            replaced_in_seconds=round(seconds, 2),
        )
        return seconds


def supervise(settings: Settings, *, pools: Sequence[str], processes: int) -> int:
    """Run `processes` children until a signal says stop; return the exit code.

    A first SIGTERM or SIGINT drains, a second one kills. Settings reach the children through
    their environment.
    """
    signals = _Signals()
    lifeline, held = os.pipe()
    timing = Timing()
    nurseries = [
        Nursery(
            Child(number=number, pools=tuple(pools), lifeline=lifeline),
            lambda child: spawn(child, settings),
            timing,
        )
        for number in range(processes)
    ]
    try:
        while not signals.count:
            time.sleep(_LOOK_SECONDS)
            if any(nursery.refused for nursery in nurseries):
                _end(nurseries, settings, signals)
                return exits.REFUSED
            for nursery in nurseries:
                nursery.look()
        return _end(nurseries, settings, signals)
    finally:
        for nursery in nurseries:
            nursery.signal(signal.SIGKILL)
        os.close(lifeline)
        os.close(held)


def spawn(child: Child, settings: Settings) -> "subprocess.Popen[bytes]":
    """Start a child in a process group of its own, so that Ctrl-C reaches only the supervisor."""
    threads = str(settings.admission_threads)
    command = [
        *(sys.executable, "-m", "dramatiq", "workers.main:setup", "--skip-logging"),
        *("--processes", "1", "--threads", threads),
        *("--worker-shutdown-timeout", str(int(_DRAMATIQ_SHUTDOWN_SECONDS * 1000))),
    ]
    environment = {
        **os.environ,
        **child.environment(),
        "INTURN_SLOTS": str(settings.slots),
        "dramatiq_queue_prefetch": threads,
    }
    inherited = () if child.lifeline is None else (child.lifeline,)
    return subprocess.Popen(  # noqa: S603  # our own interpreter, our own arguments
        command, env=environment, pass_fds=inherited, start_new_session=True
    )


def _end(nurseries: Sequence[Nursery], settings: Settings, signals: "_Signals") -> int:
    """Let every child drain; kill what takes too long, or at a second signal."""
    told = signals.count
    for nursery in nurseries:
        nursery.ask()
    bound = settings.drain_seconds + DRAIN_MARGIN_SECONDS + _CLOSE_SECONDS
    deadline = clock.monotonic() + bound
    while any(nursery.alive for nursery in nurseries):
        if signals.count > told or clock.monotonic() > deadline:
            for nursery in nurseries:
                nursery.signal(signal.SIGKILL)
        time.sleep(_LOOK_SECONDS)
    return max((abs(nursery.process.returncode) for nursery in nurseries), default=0)


class _Signals:
    """Counts requests to stop."""

    def __init__(self) -> None:
        self.count = 0
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._hear)

    def _hear(self, _number: int, _frame: FrameType | None) -> None:
        self.count += 1
