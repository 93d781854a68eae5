"""Bring a database to the newest schema, or say that it is not there yet."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from shared.storage.store import Store


class SchemaBehind(Exception):
    """The database is of another version than this program."""

    def __init__(self) -> None:
        super().__init__("the database is not at this version's schema; run `inturn migrate`")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def _upgrade(connection: Connection) -> None:
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _is_current(connection: Connection) -> bool:
    newest = ScriptDirectory.from_config(_config()).get_current_head()
    return MigrationContext.configure(connection).get_current_revision() == newest


async def migrate(store: Store) -> None:
    """Run what is missing; two processes that migrate at once take turns."""
    async with store.transaction() as transaction:
        await transaction.run_sync(_upgrade)


async def check(store: Store) -> None:
    """Raise SchemaBehind unless the schema is this version's."""
    async with store.transaction() as transaction:
        if not await transaction.run_sync(_is_current):
            raise SchemaBehind
