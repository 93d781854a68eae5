"""Tests that measure time run alone: while one does, no other process of the run performs a test.

    @pytest.mark.alone
    def test_it_is_quick() -> None: ...

Without pytest-xdist every test is alone.
"""

import fcntl
import shutil
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest


class Turns:
    """Of one process of a parallel run: whoever comes passes the gate, then enters the room.

    Who wants to be alone keeps the gate shut while the others leave.
    """

    def __init__(self, folder: Path) -> None:
        self._gate = folder / "gate"
        self._room = folder / "room"

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Outermost: a test's own time limit begins when its turn has come."""
        with self._turn(alone=item.get_closest_marker("alone") is not None):
            return (yield)

    @contextmanager
    def _turn(self, *, alone: bool) -> Iterator[None]:
        with self._gate.open("a") as gate, self._room.open("a") as room:
            fcntl.flock(gate, fcntl.LOCK_EX)
            fcntl.flock(room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
            fcntl.flock(gate, fcntl.LOCK_UN)
            yield


class Doorkeeper:
    """Of the process that starts the others: tells them where gate and room are."""

    def __init__(self) -> None:
        self._folder = tempfile.mkdtemp(prefix="inturn-turns-")

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:  # noqa: ANN401  # pytest-xdist's, untyped
        node.workerinput["turns"] = self._folder

    def pytest_unconfigure(self) -> None:
        shutil.rmtree(self._folder)


def take_turns(config: pytest.Config) -> None:
    """Make this process, of whichever kind, part of it."""
    config.addinivalue_line("markers", "alone: measures time; no other test runs beside it")
    if told := getattr(config, "workerinput", None):
        config.pluginmanager.register(Turns(Path(told["turns"])))
    elif config.getoption("dist", "no") != "no":
        config.pluginmanager.register(Doorkeeper())
