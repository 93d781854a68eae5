"""The supervisor, with children that are shell commands."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.settings import Settings
from tests.unit.workshop import Flight
from workers.child import VARIABLE, Child, read_child
from workers.supervise import Nursery, spawn


def shell(command: str) -> Callable[[Child], "subprocess.Popen[bytes]"]:
    return lambda _: subprocess.Popen(["sh", "-c", command], start_new_session=True)


def test_a_dead_child_is_replaced_after_its_backoff() -> None:
    flight = Flight()
    nursery = Nursery(Child(), shell("exit 9"), flight.timing())
    delays = []
    for _ in range(4):
        nursery.process.wait(10)
        first = nursery.process
        nursery.look()
        assert nursery.process is first
        before = flight.now
        while nursery.process is first:
            flight.now += 0.25
            nursery.look()
        delays.append(flight.now - before)
    assert delays == [0.5, 1.0, 2.0, 4.0]
    nursery.process.wait(10)


def test_who_lived_long_is_replaced_quickly() -> None:
    flight = Flight()
    nursery = Nursery(Child(), shell("exit 9"), flight.timing())
    for _ in range(3):
        nursery.process.wait(10)
        flight.now += 31
        nursery.look()
        flight.now += 0.5
        first = nursery.process
        nursery.look()
        assert nursery.process is not first
    nursery.process.wait(10)


def test_only_a_first_start_that_is_refused_is_final() -> None:
    flight = Flight()
    nursery = Nursery(Child(), shell("exit 2"), flight.timing())
    nursery.process.wait(10)
    assert nursery.refused
    nursery.look()
    assert not nursery.refused


def test_the_whole_group_can_be_killed() -> None:
    nursery = Nursery(Child(), shell("sleep 60 & sleep 60"), Flight().timing())
    nursery.signal(signal.SIGKILL)
    assert nursery.process.wait(10) == -signal.SIGKILL
    nursery.signal(signal.SIGKILL)
    nursery.ask()


def test_a_child_reads_what_its_parent_said() -> None:
    child = Child(number=3, pools=("a", "b"), lifeline=7)
    assert read_child(child.environment()) == child
    assert read_child({}) == Child(number=0, pools=("default",), lifeline=None)


def test_a_child_gets_its_settings_and_its_end_of_the_lifeline(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake = tmp_path / "dramatiq.py"
    fake.write_text("import os, sys; print(sys.argv[1:], dict(os.environ)); os.fstat(LIFELINE)")
    read_end, write_end = os.pipe()
    fake.write_text(fake.read_text().replace("LIFELINE", str(read_end)))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    started: list[list[str]] = []
    popen = subprocess.Popen

    def watched(command: list[str], **options: object) -> "subprocess.Popen[bytes]":
        started.append(command)
        return popen(command, stdout=subprocess.PIPE, **options)  # type: ignore[call-overload,no-any-return]  # the fixture passes on what it is given

    monkeypatch.setattr("workers.supervise.subprocess.Popen", watched)
    child = spawn(Child(pools=("slow",), lifeline=read_end), Settings(slots=7, admission_threads=5))
    said, _ = child.communicate(timeout=20)
    os.close(read_end)
    os.close(write_end)
    assert child.returncode == 0
    assert started[0][0] == sys.executable
    for part in ("'--processes', '1'", "'--threads', '5'", "'dramatiq_queue_prefetch': '5'",
                 "'INTURN_SLOTS': '7'", VARIABLE):  # fmt: skip
        assert part in said.decode()


def test_a_child_whose_supervisor_is_gone_asks_itself_to_stop(tmp_path: Path) -> None:
    script = tmp_path / "child.py"
    script.write_text(
        textwrap.dedent(
            """
            import signal, sys
            from workers.lifeline import hold_on
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
            hold_on(int(sys.argv[1]), "INFO")
            print("ready", flush=True)
            signal.pause()
            """
        )
    )
    read_end, write_end = os.pipe()
    child = subprocess.Popen(
        [sys.executable, str(script), str(read_end)],
        pass_fds=(read_end,),
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    )
    assert child.stdout
    assert child.stdout.readline() == b"ready\n"
    assert child.poll() is None
    os.close(write_end)
    assert child.wait(10) == 0
    os.close(read_end)
    child.stdout.close()
