"""Column types and the one SQL construct that both databases spell differently."""

from collections.abc import Collection
from typing import Any, TypeAlias
from uuid import UUID

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine

AnyRow: TypeAlias = sa.Row[*tuple[Any, ...]]

# Plain JSON keeps what was sent to the letter; JSONB would reorder keys and cost more to write.
JsonColumn = sa.JSON(none_as_null=True)
InstantColumn = sa.BigInteger


def dump_json(value: object) -> str:
    """Serialise for a JSON column."""
    return orjson.dumps(value).decode()


class Members(TypeDecorator[Collection[UUID | str]]):
    """A list as one bound value: an array on PostgreSQL, a JSON text on SQLite.

    One value keeps the statement's text constant, so that it is prepared once.
    """

    impl = sa.Text
    cache_ok = True

    def __init__(self, of: type[TypeEngine[Any]]) -> None:
        super().__init__()
        self.of = of

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(ARRAY(self.of()))
        return dialect.type_descriptor(sa.Text())

    def process_bind_param(
        self, value: Collection[UUID | str] | None, dialect: Dialect
    ) -> list[UUID | str] | str:
        members = list(value or ())
        if dialect.name == "postgresql":
            return members
        return dump_json([m.hex if isinstance(m, UUID) else m for m in members])


class _IsAny(FunctionElement[bool]):
    inherit_cache = True
    type = sa.Boolean()

    def self_group(self, against: Any = None) -> "_IsAny":  # noqa: ANN401  (an operator)
        """Stay as it is: SQLAlchemy would append `= 1` on SQLite, which hides the index."""
        del against
        return self


@compiles(_IsAny, "postgresql")
def _any_array(element: _IsAny, compiler: sa.Compiled, **kw: object) -> str:
    column, members = element.clauses
    return f"{compiler.process(column, **kw)} = ANY ({compiler.process(members, **kw)})"


@compiles(_IsAny, "sqlite")
def _in_json(element: _IsAny, compiler: sa.Compiled, **kw: object) -> str:
    column, members = element.clauses
    each = f"SELECT value FROM json_each({compiler.process(members, **kw)})"
    return f"{compiler.process(column, **kw)} IN ({each})"


def any_of(column: sa.ColumnElement[Any], name: str) -> sa.ColumnElement[bool]:
    """Compare with a list bound as `name`: ids (UUID) or texts, whichever the column holds."""
    of = sa.Uuid if isinstance(column.type, sa.Uuid) else sa.Text
    return _IsAny(column, sa.bindparam(name, type_=Members(of)))
