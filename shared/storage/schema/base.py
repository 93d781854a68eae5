"""What the tables are made with."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Column, Index, Table = sa.Column, sa.Index, sa.Table


def one_of(column: str, values: Iterable[str]) -> str:
    """Spell a SQL membership test over the words of an enum."""
    words = ", ".join(f"'{word}'" for word in sorted(values))
    return f"{column} IN ({words})"


def partial(name: str, *columns: str | sa.TextClause, where: str, unique: bool = False) -> sa.Index:
    condition = sa.text(where)
    return Index(name, *columns, unique=unique, sqlite_where=condition, postgresql_where=condition)


# Rows that are updated in place keep room for it on their page.
HOT: dict[str, Any] = {"postgresql_with": {"fillfactor": "70"}}
