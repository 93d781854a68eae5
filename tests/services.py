"""Where the tests find PostgreSQL and RabbitMQ, and whether they answer there."""

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
PORTS = range(20_000, 32_000)


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
    while True:
        port = random.choice(PORTS)
        with socket.socket() as candidate:
            candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                candidate.bind((LOOPBACK, port))
            except OSError:
                continue
            return port
