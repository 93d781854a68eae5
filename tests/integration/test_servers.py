"""The servers that fault tests stop and the proxy that cuts: they do what they say."""

import asyncio
from collections.abc import Iterator

import asyncpg
import pika
import pytest

from tests.proxy import Proxy
from tests.servers import Postgres, RabbitMQ


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with Postgres() as server:
        yield server


def sql(port: int, statement: str) -> list[int]:
    """First column of what the statement finds."""

    async def run() -> list[int]:
        connection = await asyncpg.connect(f"postgresql://postgres@127.0.0.1:{port}/postgres")
        try:
            async with connection.transaction():
                return [row[0] for row in await connection.fetch(statement)]
        finally:
            await connection.close(timeout=1)

    return asyncio.run(run())


def test_postgres_keeps_data_and_port_over_kill_and_stop(postgres: Postgres) -> None:
    sql(postgres.port, "CREATE TABLE kept AS SELECT 7 AS number")
    for end in (postgres.kill, postgres.stop):
        end()
        assert not postgres.answers()
        postgres.start()
        assert sql(postgres.port, "SELECT number FROM kept") == [7]


def test_a_commit_whose_reply_is_cut_is_committed(postgres: Postgres) -> None:
    sql(postgres.port, "CREATE TABLE cut (number int)")
    with Proxy(postgres.port) as proxy:
        proxy.swallow_reply(b"COMMIT")
        with pytest.raises((asyncpg.PostgresError, OSError)):
            sql(proxy.port, "INSERT INTO cut VALUES (1) RETURNING number")
        assert proxy.swallowed.is_set()
        assert sql(proxy.port, "SELECT number FROM cut") == [1]


def test_a_cut_connection_ends_and_the_next_is_served(postgres: Postgres) -> None:
    async def cut() -> None:
        connection = await asyncpg.connect(f"postgresql://postgres@127.0.0.1:{proxy.port}/postgres")
        proxy.cut()
        with pytest.raises((asyncpg.PostgresError, OSError)):
            await connection.fetch("SELECT 1")

    with Proxy(postgres.port) as proxy:
        asyncio.run(cut())
        assert sql(proxy.port, "SELECT 1") == [1]


def test_rabbitmq_keeps_data_over_a_stop_and_its_port_over_a_kill() -> None:
    with RabbitMQ() as server:
        publish(server)
        server.stop()
        assert not server.answers()
        server.start()
        assert holds_a_message(server)
        # No word on data here: 3.10 does not always get a quorum queue back that was killed
        # within a second of its declaration or start.
        server.kill()
        assert not server.answers()
        server.start()


def publish(server: RabbitMQ) -> None:
    connection = pika.BlockingConnection(pika.URLParameters(server.url))
    channel = connection.channel()
    channel.queue_declare("kept", durable=True, arguments={"x-queue-type": "quorum"})
    channel.confirm_delivery()
    channel.basic_publish("", "kept", b"", pika.BasicProperties(delivery_mode=2))
    connection.close()


def holds_a_message(server: RabbitMQ) -> bool:
    """Whether one can be fetched; it goes back when the connection ends."""
    connection = pika.BlockingConnection(pika.URLParameters(server.url))
    found, _, _ = connection.channel().basic_get("kept")
    connection.close()
    return found is not None
