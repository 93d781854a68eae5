import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from tests.platforms import House, empty, migrate, open_house, settle_in_a_thread, sqlite_url

Open = Callable[..., AbstractAsyncContextManager[House]]


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy."""
    folder = tmp_path_factory.mktemp("template")
    migrate(sqlite_url(folder / "inturn.db"), folder)
    return folder / "inturn.db"


@pytest.fixture(scope="session")
def migrated_postgres(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    migrate(postgres_url, tmp_path_factory.mktemp("migrating"))
    return postgres_url


@pytest.fixture
def postgres_rows(migrated_postgres: str) -> Iterator[str]:
    """A migrated PostgreSQL database without rows."""
    yield migrated_postgres
    settle_in_a_thread(empty(migrated_postgres))


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A migrated database without rows: each test that asks for it runs over both."""
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_rows"))
    path = tmp_path / "inturn.db"
    shutil.copy(request.getfixturevalue("sqlite_template"), path)
    return sqlite_url(path)


@pytest.fixture
def open_it(database: str, tmp_path: Path) -> Open:
    """Opens the platform over the database; a test opens it itself to close or to tune it."""

    def opened(**settings: Any) -> AbstractAsyncContextManager[House]:  # noqa: ANN401
        return open_house(database, tmp_path, **settings)

    return opened


@pytest.fixture
async def house(open_it: Open) -> AsyncIterator[House]:
    """The platform; whatever a test did, the doctor finds nothing afterwards."""
    async with open_it() as house:
        yield house
        assert await house.findings() == []
