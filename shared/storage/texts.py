"""The text of a message, taken out by the database: what it carries beside may be large."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement


class plain_text(FunctionElement[str]):  # noqa: N801  (a function of SQL)
    """Spell `domain.message.plain_text` in SQL."""

    inherit_cache = True
    type = sa.Text()


@compiles(plain_text, "postgresql")
def _on_postgresql(element: plain_text, compiler: sa.Compiled, **kw: Any) -> str:  # noqa: ANN401
    content = compiler.process(element.clauses, **kw)
    blocks = (
        "SELECT string_agg(block ->> 'text', chr(10)) "
        f"FROM json_array_elements({content}) AS blocks(block) WHERE block ->> 'type' = 'text'"
    )
    return (
        f"CASE json_typeof({content}) WHEN 'string' THEN {content} #>> '{{}}' "
        f"ELSE coalesce(({blocks}), '') END"
    )


@compiles(plain_text, "sqlite")
def _on_sqlite(element: plain_text, compiler: sa.Compiled, **kw: Any) -> str:  # noqa: ANN401
    content = compiler.process(element.clauses, **kw)
    blocks = (
        "SELECT group_concat(value ->> 'text', char(10)) "
        f"FROM json_each({content}) WHERE value ->> 'type' = 'text'"
    )
    return (
        f"CASE json_type({content}) WHEN 'text' THEN {content} ->> '$' "
        f"ELSE coalesce(({blocks}), '') END"
    )
