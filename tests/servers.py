"""Private PostgreSQL and RabbitMQ servers: own folder, own free ports, loopback only.

    with Postgres() as postgres:
        postgres.url      # postgresql+asyncpg://postgres@127.0.0.1:23456/postgres
        postgres.kill()   # kill -9 of every process of it
        postgres.start()  # same data, same port

Everything here blocks: from async code call it through `asyncio.to_thread`.
From the shell: `python -m tests.servers make test` runs a command beside the servers it lacks.
"""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence

import psutil

from tests import services
from tests.server import START_SECONDS, Server, ServerError, find_program, kill_tree
from tests.services import LOOPBACK, free_port, postgres_answers, rabbitmq_answers


class Postgres(Server):
    program = "postgres"
    package = "postgresql"
    account = "postgres"
    stop_signal = signal.SIGINT

    @property
    def url(self) -> str:
        return f"postgresql+asyncpg://postgres@{LOOPBACK}:{self.port}/postgres"

    def prepare(self) -> None:
        initdb = [find_program("initdb"), "--pgdata=data", "--auth=trust"]
        made = self.spawn([*initdb, "--username=postgres", "--encoding=UTF8", "--no-locale"])
        if made.wait(START_SECONDS) != 0:
            message = f"initdb failed:\n{(self.folder / 'log').read_text(errors='replace')}"
            raise ServerError(message)

    def command(self) -> Sequence[str]:
        settings = {
            "port": self.port,
            "listen_addresses": LOOPBACK,
            "unix_socket_directories": "",
            "max_connections": 200,
            # A killed server loses nothing that the kernel has; only a power cut could tell.
            "fsync": "off",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [find_program(self.program), "-D", "data", *options]

    def answers(self) -> bool:
        return postgres_answers(self.url)


class RabbitMQ(Server):
    program = "rabbitmq-server"
    package = "rabbitmq-server"
    account = "rabbitmq"
    stop_signal = signal.SIGTERM

    def __init__(self) -> None:
        super().__init__()
        self._epmd_port = free_port()
        self._node_port = free_port()
        self._epmd: psutil.Popen | None = None

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@{LOOPBACK}:{self.port}/"

    def prepare(self) -> None:
        (self.folder / "plugins").write_text("[].\n")
        (self.folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.local = {LOOPBACK}:{self.port}\ndisk_free_limit.absolute = 50MB\n"
        )
        # A node that finds no name service starts one that outlives it; this one is ours to end.
        self._epmd = self.spawn(
            [find_program("epmd"), "-address", LOOPBACK, "-port", str(self._epmd_port)]
        )

    def environment(self) -> Mapping[str, str]:
        folder = str(self.folder)
        return {
            "ERL_EPMD_ADDRESS": LOOPBACK,
            "ERL_EPMD_PORT": str(self._epmd_port),
            "RABBITMQ_NODENAME": f"inturn{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(self._node_port),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "RABBITMQ_MNESIA_BASE": f"{folder}/mnesia",
            "RABBITMQ_LOG_BASE": f"{folder}/logs",
            "RABBITMQ_CONFIG_FILE": f"{folder}/rabbitmq.conf",
            "RABBITMQ_CONFIG_FILES": f"{folder}/conf.d",
            "RABBITMQ_ADVANCED_CONFIG_FILE": f"{folder}/advanced.config",
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/plugins",
            "RABBITMQ_PID_FILE": f"{folder}/pid",
            # Makes its start script become the server, so that signals reach it.
            "RUNNING_UNDER_SYSTEMD": "1",
        }

    def command(self) -> Sequence[str]:
        return [find_program(self.program)]

    def answers(self) -> bool:
        return rabbitmq_answers(self.url)

    def close(self) -> None:
        self.kill()
        if self._epmd is not None:
            kill_tree(self._epmd)
        super().close()


def absent() -> dict[str, type[Server]]:
    """The servers that do not answer where the tests look, by the variable that says where."""
    return {
        variable: server
        for variable, server, answers in (
            (services.DATABASE_VARIABLE, Postgres, postgres_answers(services.database_url())),
            (services.BROKER_VARIABLE, RabbitMQ, rabbitmq_answers(services.broker_url())),
        )
        if not answers
    }


def main(arguments: Sequence[str]) -> int:
    """`--absent` prints the packages to install; anything else runs beside the servers."""
    if arguments == ["--absent"]:
        lacking = [server for server in absent().values() if not server.installed()]
        sys.stdout.write(" ".join(server.package for server in lacking))
        return 0
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, lambda number, _: sys.exit(128 + number))
    with contextlib.ExitStack() as running:
        for variable, server in absent().items():
            os.environ[variable] = running.enter_context(server()).url
        return subprocess.run(arguments, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
