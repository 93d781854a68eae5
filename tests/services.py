"""Where the tests find PostgreSQL and RabbitMQ, and whether they answer there."""

import itertools
import os
import random
import socket
import struct
from urllib.parse import urlsplit

import pika
from pika.exceptions import AMQPError

LOOPBACK = "127.0.0.1"
DATABASE_VARIABLE = "INTURN_TEST_DATABASE_URL"
BROKER_VARIABLE = "INTURN_TEST_BROKER_URL"
# Below the ephemeral range: while a server is away no outgoing connection can take its port.
# Each process of a parallel run has some of its own, with room for those that add 1, 2 or 3.
_OWN = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 6
_shuffled = random.sample(range(20_000 + 2_000 * _OWN, 22_000 + 2_000 * _OWN, 4), k=500)
_ports = itertools.cycle(_shuffled)


def database_url() -> str:
    """Address of a database whose user may create others."""
    return (
        os.environ.get(DATABASE_VARIABLE)
        or f"postgresql+asyncpg://postgres@{LOOPBACK}:5432/postgres"
    )


def broker_url() -> str:
    return os.environ.get(BROKER_VARIABLE) or f"amqp://guest:guest@{LOOPBACK}:5672/"


def postgres_answers(url: str) -> bool:
    """Whether the server of `url` lets its user in without a password and is ready for queries."""
    at = urlsplit(url)
    names = f"user\0{at.username}\0database\0{at.path.removeprefix('/')}\0\0".encode()
    startup = struct.pack("!ii", len(names) + 8, 3 << 16) + names
    try:
        with socket.create_connection((at.hostname, at.port or 5432), timeout=2) as connection:
            connection.sendall(startup)
            heard = b""
            while chunk := connection.recv(4096):
                heard += chunk
                if heard.endswith(b"Z\0\0\0\5I"):
                    return True
    except OSError:
        pass
    return False


def rabbitmq_answers(url: str) -> bool:
    parameters = pika.URLParameters(f"{url}?socket_timeout=2")
    try:
        # First without pika, which logs each refusal six times.
        socket.create_connection((parameters.host, parameters.port), timeout=2).close()
        pika.BlockingConnection(parameters).close()
    except (AMQPError, OSError):
        return False
    return True


def free_port() -> int:
    """A loopback port that nobody listens on."""
    return next(filter(_is_free, _ports))


def _is_free(port: int) -> bool:
    with socket.socket() as candidate:
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind((LOOPBACK, port))
        except OSError:
            return False
        return True
