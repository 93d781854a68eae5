"""What any test may ask for: the services, a database of its own, names of its own."""

import asyncio
import os
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NoReturn
from urllib.parse import urlsplit

import asyncpg
import hypothesis
import pika
import pytest

from tests import services
from tests.alone import take_turns

hypothesis.settings.register_profile("ci", derandomize=True, deadline=None)
hypothesis.settings.load_profile("ci")


def pytest_configure(config: pytest.Config) -> None:
    take_turns(config)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what takes longest first: then no process is left alone with it at the end."""
    items.sort(key=lambda item: "integration" not in item.path.parts)


def without(service: str, url: str, variable: str) -> NoReturn:
    """Skip the test, or fail it where the services are required."""
    reason = f"{service} does not answer at {url}; {variable} says where it is"
    if os.environ.get("INTURN_TEST_REQUIRE_SERVICES"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def new_database() -> Iterator[Callable[[], str]]:
    """Makes an empty PostgreSQL database and gives its URL; all are dropped at the end."""
    admin = urlsplit(services.database_url())
    if not services.postgres_answers(admin.geturl()):
        without("PostgreSQL", admin.geturl(), services.DATABASE_VARIABLE)
    made: list[str] = []

    def create() -> str:
        name = f"inturn_test_{uuid.uuid4().hex}"
        run_sql(f"CREATE DATABASE {name}")
        made.append(name)
        return admin._replace(path=f"/{name}").geturl()

    yield create
    run_sql(*(f"DROP DATABASE {name} WITH (FORCE)" for name in made))


@pytest.fixture(scope="session")
def postgres_url(new_database: Callable[[], str]) -> str:
    """One scratch database for the whole session."""
    return new_database()


@pytest.fixture(scope="session")
def broker_url() -> str:
    url = services.broker_url()
    if not services.rabbitmq_answers(url):
        without("RabbitMQ", url, services.BROKER_VARIABLE)
    return url


@pytest.fixture(scope="session")
def namespace() -> str:
    """Prefix of this session's queues and exchanges (`INTURN_NAMESPACE`)."""
    return f"inturn_test_{uuid.uuid4().hex[:12]}"


@pytest.fixture(scope="session")
def queues(broker_url: str) -> Iterator[set[str]]:
    """Whoever declares a queue adds its name here; all are deleted at the end."""
    declared: set[str] = set()
    yield declared
    connection = pika.BlockingConnection(pika.URLParameters(broker_url))
    for name in declared:
        connection.channel().queue_delete(name)
    connection.close()


def run_sql(*statements: str) -> None:
    """Run each statement by itself on the server's own database."""
    address = services.database_url().replace("+asyncpg", "")

    async def run() -> None:
        connection = await asyncpg.connect(address)
        for statement in statements:
            await connection.execute(statement)
        await connection.close()

    # In a thread, for the caller may be an async test.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, run()).result()
