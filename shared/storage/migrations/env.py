"""Alembic's entry: the caller brings the connection and the transaction."""

from alembic import context
from sqlalchemy import Connection, text

from shared.storage.schema import metadata

_LOCK = 7_238_114_001


def _run(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL lock_timeout = '120s'"))
        connection.execute(text("SET LOCAL statement_timeout = '600s'"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    context.configure(connection=connection, target_metadata=metadata)
    context.run_migrations()


_run(context.config.attributes["connection"])
