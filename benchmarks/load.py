"""The driver's side of the load generator."""

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import orjson
import psutil

from benchmarks.order import Order, Outcome
from benchmarks.processes import BenchmarkError, machine_cpu_seconds
from benchmarks.stacks import ROOT, Stack
from tests.services import LOOPBACK

CONNECTIONS = 64
BODY = orjson.dumps({"content": "Where is my order 4711, and when will it arrive?"}).decode()
_LONGEST_SECONDS = 300.0
_LOOK_SECONDS = 0.05


@dataclass(frozen=True, kw_only=True)
class Measured:
    """An outcome, and the CPUs that were busy meanwhile: 1.0 is one core all the time."""

    outcome: Outcome
    server_cpus: float
    generator_cpus: float
    other_cpus: float

    @property
    def cost(self) -> float:
        """Server CPU of one answer, in milliseconds; less moved by a noisy machine than rates."""
        return 1000 * self.server_cpus / self.outcome.rate


class Generator:
    """One order being fulfilled by a process of its own."""

    def __init__(self, order: Order) -> None:
        self._stdout = tempfile.TemporaryFile()  # noqa: SIM115  # `result` closes it
        with tempfile.TemporaryFile() as stdin:
            stdin.write(order.model_dump_json().encode())
            stdin.seek(0)
            self._process = psutil.Popen(
                [sys.executable, "-m", "benchmarks.generator"],
                cwd=ROOT,
                stdin=stdin,
                stdout=self._stdout,
            )

    @property
    def busy(self) -> bool:
        """Whether it still asks or waits for answers."""
        return self._process.poll() is None

    def kill(self) -> None:
        """End it, whatever it does."""
        if self.busy:
            self._process.kill()
        self._process.wait()

    def result(self) -> Outcome:
        """Read what it wrote. Raises BenchmarkError if it failed."""
        with self._stdout as stdout:
            if self._process.wait():
                raise BenchmarkError("the load generator failed")
            stdout.seek(0)
            return Outcome.model_validate_json(stdout.read())


def run(order: Order, stack: Stack, tick: Callable[[], object] = lambda: None) -> Measured:
    """Fulfil an order, calling `tick` every now and then. Raises BenchmarkError on a non-2xx."""
    ours, machine = stack.cpu_seconds, machine_cpu_seconds()
    generator = Generator(order)
    deadline = time.monotonic() + _LONGEST_SECONDS
    try:
        while generator.busy:
            if time.monotonic() > deadline:
                raise BenchmarkError(f"no end after {_LONGEST_SECONDS:g} s")
            stack.check()
            tick()
            time.sleep(_LOOK_SECONDS)
    finally:
        generator.kill()
    outcome = generator.result()
    ours, machine = stack.cpu_seconds - ours, machine_cpu_seconds() - machine
    if outcome.refused:
        raise BenchmarkError(f"{stack.name}: answers by status {outcome.statuses}")
    return Measured(
        outcome=outcome,
        server_cpus=ours / outcome.seconds,
        generator_cpus=outcome.cpu_seconds / outcome.seconds,
        other_cpus=max(0.0, machine - ours - outcome.cpu_seconds) / outcome.seconds,
    )


def order(  # noqa: PLR0913 - an order has many parts
    stack: Stack,
    paths: list[str],
    *,
    posts: Sequence[str] = (BODY,),
    connections: int = CONNECTIONS,
    total: int | None = None,
    seconds: float | None = None,
    bodies: bool = False,
    known: str | None = None,
    interval: float | None = None,
) -> Order:
    """Address an order to a stack."""
    return Order(
        host=LOOPBACK,
        port=stack.port,
        key=stack.key,
        paths=paths,
        posts=list(posts),
        connections=min(connections, total or connections),
        total=total,
        seconds=seconds,
        bodies=bodies,
        known=known,
        interval=interval,
    )


def inboxes(stack: Stack, agent: str, sessions: int) -> list[str]:
    """Create sessions, and return where to post to each."""
    body = orjson.dumps({"agent": agent}).decode()
    wanted = order(stack, ["/v1/sessions"], posts=[body], total=sessions, bodies=True)
    created = run(wanted, stack).outcome.bodies
    return [f"/v1/sessions/{orjson.loads(each)['id']}/messages" for each in created]
