import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from tests.conftest import run_sql
from tests.platforms import (
    House,
    empty,
    migrate,
    open_house,
    reset,
    settle_in_a_thread,
    sqlite_url,
)

Open = Callable[..., AbstractAsyncContextManager[House]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of the store share two platforms, whose statements are compiled once."""
    for item in items:
        if item.path.name.startswith("test_store_") and "house" in getattr(
            item, "fixturenames", ()
        ):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy."""
    folder = tmp_path_factory.mktemp("template")
    migrate(sqlite_url(folder / "inturn.db"), folder)
    return folder / "inturn.db"


@pytest.fixture(scope="session")
def migrated_postgres(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    migrate(postgres_url, tmp_path_factory.mktemp("migrating"))
    # Tests that stop the server have one of their own.
    run_sql(f"ALTER DATABASE {urlsplit(postgres_url).path[1:]} SET synchronous_commit = off")
    return postgres_url


@pytest.fixture
def postgres_rows(migrated_postgres: str, request: pytest.FixtureRequest) -> str:
    """A migrated PostgreSQL database without rows, or with those of the test's house."""
    if "house" not in request.fixturenames:
        settle_in_a_thread(empty(migrated_postgres))
    return migrated_postgres


@pytest.fixture
def sqlite_rows(sqlite_template: Path, tmp_path: Path) -> str:
    """A migrated SQLite database without rows."""
    shutil.copy(sqlite_template, tmp_path / "inturn.db")
    return sqlite_url(tmp_path / "inturn.db")


@pytest.fixture(params=["sqlite", "postgres"])
def kind(request: pytest.FixtureRequest) -> str:
    """Each test that asks for it, or for what depends on it, runs over both databases."""
    return str(request.param)


@pytest.fixture
def database(kind: str, request: pytest.FixtureRequest) -> str:
    """On PostgreSQL the one of the test's house, if it has one."""
    return str(request.getfixturevalue(f"{kind}_rows"))


@pytest.fixture
def open_it(database: str, tmp_path: Path) -> Open:
    """Opens the platform over the database; a test opens it itself to close or to tune it."""

    def opened(**settings: Any) -> AbstractAsyncContextManager[House]:  # noqa: ANN401
        return open_house(database, tmp_path, **settings)

    return opened


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def sqlite_house(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[House]:
    folder = tmp_path_factory.mktemp("sqlite")
    shutil.copy(sqlite_template, folder / "inturn.db")
    async with open_house(sqlite_url(folder / "inturn.db"), folder) as house:
        yield house


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def postgres_house(
    migrated_postgres: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[House]:
    async with open_house(migrated_postgres, tmp_path_factory.mktemp("postgres")) as house:
        yield house


@pytest.fixture
def shared_house(kind: str, request: pytest.FixtureRequest) -> House:
    house: House = request.getfixturevalue(f"{kind}_house")
    return house


@pytest_asyncio.fixture(loop_scope="session")
async def house(shared_house: House) -> AsyncIterator[House]:
    """The platform over an empty database; afterwards the doctor finds nothing."""
    await reset(shared_house)
    yield shared_house
    assert await shared_house.findings() == []
