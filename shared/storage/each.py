"""One statement for many rows, in the quickest way each database knows.

SQLite repeats a statement in C. PostgreSQL would bind and execute it row by row; there the
rows travel as one array per column and are one statement.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from shared.storage.store import Transaction
from shared.storage.types import dump_json

Row = Mapping[str, Any]
Value = Callable[[str], sa.ColumnElement[Any]]


class Each:
    """A statement whose values come from rows with the names of `columns`.

    `build` makes it, asking for the value of a name; `columns` says what type each has.
    """

    def __init__(
        self,
        columns: Mapping[str, sa.Column[Any]],
        build: Callable[[Value], sa.Executable],
    ) -> None:
        self._types = {name: column.type for name, column in columns.items()}
        self._row_by_row = build(lambda name: sa.bindparam(name, type_=self._types[name]))
        self._at_once = build(self._unnested())

    async def execute(self, transaction: Transaction, rows: Sequence[Row]) -> None:
        """Execute it for all rows; for none, nothing happens."""
        if len(rows) == 1:
            await transaction.execute(self._row_by_row, dict(rows[0]))
        elif rows and transaction.dialect.name == "sqlite":
            await transaction.execute(self._row_by_row, [dict(row) for row in rows])
        elif rows:
            arrays = {name: self._array(name, rows) for name in self._types}
            await transaction.execute(self._at_once, arrays)

    def _unnested(self) -> Value:
        arrays = [
            sa.bindparam(name, type_=ARRAY(sa.Text() if _is_json(type_) else type_))
            for name, type_ in self._types.items()
        ]
        columns = [
            sa.column(name, sa.Text() if _is_json(type_) else type_)
            for name, type_ in self._types.items()
        ]
        rows = sa.func.unnest(*arrays).table_valued(*columns).render_derived()

        def value(name: str) -> sa.ColumnElement[Any]:
            type_ = self._types[name]
            return sa.cast(rows.c[name], type_) if _is_json(type_) else rows.c[name]

        return value

    def _array(self, name: str, rows: Sequence[Row]) -> list[Any]:
        values = [row[name] for row in rows]
        if not _is_json(self._types[name]):
            return values
        return [None if value is None else dump_json(value) for value in values]


def insert_each(table: sa.Table, *names: str) -> Each:
    """Insert rows that have these columns."""

    def build(value: Value) -> sa.Executable:
        given = {name: value(name) for name in names}
        if isinstance(next(iter(given.values())), sa.BindParameter):
            return table.insert().values(given)
        return table.insert().from_select(names, sa.select(*given.values()))

    return Each({name: table.c[name] for name in names}, build)


def _is_json(type_: sa.types.TypeEngine[Any]) -> bool:
    return isinstance(type_, sa.JSON)
