"""What is measured: the bare application, everything in one process, everything apart.

Each has its own folder, database and namespace, and leaves nothing behind.
"""

import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pika
from dramatiq.common import xq_name

from benchmarks.database import Database, Sqlite, scratch_postgres
from benchmarks.processes import START_SECONDS, BenchmarkError, Server
from shared.dispatch.topology import queue_name
from tests import services
from tests.command import environment
from tests.services import LOOPBACK, free_port

KEY = "a-key-for-benchmarks"
ROOT = Path(__file__).parents[1]
IDLE_POOL = "nobody"
POOLS = ("default", IDLE_POOL)
WORKER_PROCESSES = 2
_AGENTS = f"""
[[agents]]
name = "{IDLE_POOL}"
kind = "echo"
pool = "{IDLE_POOL}"
"""
Fill = Callable[[str], None]  # takes the URL of a database

_LIVE_WORKERS = "SELECT count(*) FROM workers WHERE lost_at IS NULL"
_NO_LIMIT = 10_000_000
_MIGRATE_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class Stack:
    """Servers under measurement; `servers[0]` answers HTTP on `port`."""

    name: str
    port: int
    servers: tuple[Server, ...]
    key: str | None = None
    database: Database | None = None

    @property
    def cpu_seconds(self) -> float:
        """What its processes have used until now; PostgreSQL and RabbitMQ not counted."""
        return sum(server.cpu_seconds for server in self.servers)

    def check(self) -> None:
        """Raise if one of them has ended."""
        for server in self.servers:
            server.check()

    def numbers(self, statement: str) -> list[int]:
        """Ask its database."""
        if self.database is None:
            raise BenchmarkError(f"{self.name} has no database")
        return self.database.numbers(statement)


@contextmanager
def bare() -> Iterator[Stack]:
    """FastAPI alone."""
    port = free_port()
    with _folder() as folder, _server("bare", ["benchmarks.bare", str(port)], folder, {}) as server:
        server.until_ready(f"http://{LOOPBACK}:{port}")
        yield Stack(name="bare", port=port, servers=(server,))


@contextmanager
def embedded(*, batch_max: int | None = None, filled: Fill | None = None) -> Iterator[Stack]:
    """`inturn serve` on SQLite; its workers serve the pool `default` only.

    Before it starts, `filled` writes into its database.
    """
    port = free_port()
    with _folder() as folder:
        database = Sqlite(folder / "inturn.db")
        settings = _settings(folder, database.url, batch_max)
        if filled:
            _migrate(folder, settings)
            filled(database.url)
        command = ["inturn", "serve", "--port", str(port), "--pool", "default"]
        with _server("serve", command, folder, settings) as server:
            server.until_ready(f"http://{LOOPBACK}:{port}")
            yield Stack(
                name="SQLite, embedded", port=port, servers=(server,), key=KEY, database=database
            )


@contextmanager
def distributed(
    *, working: bool, batch_max: int | None = None, filled: Fill | None = None
) -> Iterator[Stack]:
    """`inturn ingress` on PostgreSQL and RabbitMQ; working: two worker processes and a sweeper.

    Before they start, `filled` writes into their database.
    """
    port, namespace = free_port(), f"inturn_bench_{uuid.uuid4().hex[:12]}"
    broker = services.broker_url()
    with ExitStack() as opened:
        folder = opened.enter_context(_folder())
        database = opened.enter_context(scratch_postgres(services.database_url()))
        opened.callback(_delete_queues, broker, namespace)
        settings = _settings(folder, database.url, batch_max)
        settings |= {"BROKER_URL": broker, "NAMESPACE": namespace}
        _migrate(folder, settings)
        if filled:
            filled(database.url)
        commands = {"ingress": ["inturn", "ingress", "--port", str(port)]}
        if working:
            commands["sweeper"] = ["inturn", "sweeper"]
            commands["worker"] = ["inturn", "worker", "--processes", str(WORKER_PROCESSES)]
        servers: list[Server] = []
        for role, command in commands.items():
            servers.append(opened.enter_context(_server(role, command, folder, settings)))
            servers[0].until_ready(f"http://{LOOPBACK}:{port}")
        stack = Stack(
            name="PostgreSQL + RabbitMQ",
            port=port,
            servers=tuple(servers),
            key=KEY,
            database=database,
        )
        if working:
            _until_working(stack)
        yield stack


def _until_working(stack: Stack) -> None:
    deadline = time.monotonic() + START_SECONDS
    while stack.numbers(_LIVE_WORKERS) != [WORKER_PROCESSES]:
        stack.check()
        if time.monotonic() > deadline:
            raise BenchmarkError(f"{stack.name}: its workers do not report for work")
        time.sleep(0.1)


def lacking() -> str | None:
    """Say which service of `distributed` does not answer, if any."""
    database, broker = services.database_url(), services.broker_url()
    if not services.postgres_answers(database):
        return f"PostgreSQL does not answer; {services.DATABASE_VARIABLE} says where it is"
    if not services.rabbitmq_answers(broker):
        return f"RabbitMQ does not answer; {services.BROKER_VARIABLE} says where it is"
    return None


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="inturn-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / "agents.toml").write_text(_AGENTS)
        yield folder


def _settings(folder: Path, database: str, batch_max: int | None) -> dict[str, object]:
    limits = ("MAX_QUEUED_PER_SESSION", "MAX_QUEUED_PER_PRINCIPAL", "MAX_QUEUED")
    return {
        "DATABASE_URL": database,
        "AGENTS_FILE": folder / "agents.toml",
        "BOOTSTRAP_KEY": KEY,
        "SCRIPTED_AGENT": "true",
        **dict.fromkeys(limits, _NO_LIMIT),
        **({"BATCH_MAX": batch_max} if batch_max else {}),
    }


def _server(role: str, command: list[str], folder: Path, settings: Mapping[str, object]) -> Server:
    return Server(role, command, folder, _environment(folder, settings))


def _environment(folder: Path, settings: Mapping[str, object]) -> dict[str, str]:
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    return {**environment(folder, settings), "PYTHONPATH": path}


def _migrate(folder: Path, settings: Mapping[str, object]) -> None:
    done = subprocess.run(  # our own interpreter, our own arguments
        [sys.executable, "-m", "inturn", "migrate"],
        cwd=folder,
        env=_environment(folder, settings),
        capture_output=True,
        text=True,
        timeout=_MIGRATE_SECONDS,
        check=False,
    )
    if done.returncode:
        raise BenchmarkError(f"inturn migrate: {done.stderr[-2000:]}")


def _delete_queues(broker: str, namespace: str) -> None:
    connection = pika.BlockingConnection(pika.URLParameters(broker))
    for pool in POOLS:
        queue = queue_name(namespace, pool)
        for name in (queue, xq_name(queue)):
            connection.channel().queue_delete(name)
    connection.close()
