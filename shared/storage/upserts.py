"""Insert that does not mind what is there: the same words in both databases' own construct."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from shared.storage.store import Transaction


def insert_into(transaction: Transaction, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
    """Return the dialect's INSERT, which knows ON CONFLICT."""
    if transaction.dialect.name == "sqlite":
        return sqlite.insert(table)
    return postgresql.insert(table)
