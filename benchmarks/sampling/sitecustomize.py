# ruff: noqa: INP001 - Python imports it by this name, from its folder
"""Samples the CPU time of every thread of a process that finds this folder on its PYTHONPATH.

Python imports it by itself, in children too. A tick comes each time the process has used 5 ms
of CPU; what a thread has used since the last one is added to the stack that it is in. Waiting
costs nothing and counts nothing, and C code counts for the Python function that called it.
"""

import atexit
import os
import signal
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from types import FrameType

_TICK_SECONDS = 0.005
_WRITE_EACH = 100
_DEPTH = 80
# A handler of signals would run only when it wakes.
_MAIN_THREAD_SLEEPS = "dramatiq" in sys.orig_argv


class Sampler:
    """Stacks, and the microseconds spent in them; from when the file `begin` is there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._begun = False
        self._spent: Counter[tuple[str, ...]] = Counter()
        self._seen: dict[int, float] = {}
        self._ticks = 0

    def start(self) -> None:
        """Tick from now on; forked children start anew."""
        if _MAIN_THREAD_SLEEPS:
            sys.setswitchinterval(_TICK_SECONDS / 10)
            threading.Thread(target=self._keep_ticking, name="sampler", daemon=True).start()
            return
        signal.signal(signal.SIGPROF, self._tick)
        signal.setitimer(signal.ITIMER_PROF, _TICK_SECONDS, _TICK_SECONDS)

    def _keep_ticking(self) -> None:
        while True:
            time.sleep(_TICK_SECONDS)
            self._tick(0, None)

    def restart(self) -> None:
        """Forget what the parent has seen."""
        self.__init__(self._folder)  # type: ignore[misc]  # the same object is registered
        self.start()

    def _tick(self, _number: int, here: FrameType | None) -> None:
        self._begun = self._begun or (self._folder / "begin").exists()
        main = threading.main_thread().ident
        for ident, frame in sys._current_frames().items():  # noqa: SLF001  # no other way
            used = time.clock_gettime(time.pthread_getcpuclockid(ident))
            spent = used - self._seen.get(ident, used)
            self._seen[ident] = used
            if self._begun and spent:
                stack = _stack(here if here and ident == main else frame)
                self._spent[stack] += int(spent * 1e6)
        self._ticks += 1
        if self._begun and self._ticks % _WRITE_EACH == 0:
            self.write()

    def stop(self) -> None:
        """Tick no more: a tick that finds the interpreter gone would end the process."""
        signal.setitimer(signal.ITIMER_PROF, 0)
        self.write()

    def write(self) -> None:
        """Write all of it, as collapsed stacks."""
        lines = (f"{';'.join(stack)} {spent}" for stack, spent in self._spent.items())
        (self._folder / f"{os.getpid()}.txt").write_text("\n".join(lines))


def _stack(frame: FrameType | None) -> tuple[str, ...]:
    names: list[str] = []
    while frame is not None and len(names) < _DEPTH:
        code = frame.f_code
        names.append(f"{code.co_qualname} ({code.co_filename}:{frame.f_lineno})")
        frame = frame.f_back
    return tuple(reversed(names))


if where := os.environ.get("BENCHMARK_SAMPLES"):
    sampler = Sampler(Path(where))
    sampler.start()
    atexit.register(sampler.stop)
    os.register_at_fork(after_in_child=sampler.restart)
