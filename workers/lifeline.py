"""A child whose parents died drains and leaves: nobody would ever tell it to.

Two ways to notice. `multiprocessing` gives a sentinel of the Dramatiq process that forked this
one; the supervisor above it holds the other end of a pipe, which closes when it dies, however
it dies. (Python 3.14 forks from a server, which does not hand the pipe on: there, only the
first is noticed.)
"""

import os
import signal
import stat
import sys
import threading
from multiprocessing import connection, parent_process

from shared import telemetry


def hold_on(pipe: int | None, log_level: str) -> None:
    """Send this process a SIGTERM when its parent or its supervisor is gone."""
    ends: list[int] = []
    if parent := parent_process():
        ends.append(parent.sentinel)
    if pipe is not None and _is_pipe(pipe):
        ends.append(pipe)
    if ends:
        threading.Thread(target=_wait, args=(ends, log_level), name="lifeline", daemon=True).start()


def _wait(ends: list[int], log_level: str) -> None:
    connection.wait(ends)
    # Dramatiq's log pipe is read by nobody now, and would block when full.
    sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
    telemetry.configure_logging(log_level)
    os.kill(os.getpid(), signal.SIGTERM)


def _is_pipe(descriptor: int) -> bool:
    try:
        return stat.S_ISFIFO(os.fstat(descriptor).st_mode)
    except OSError:
        return False
