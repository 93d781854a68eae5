"""How much there is, told quickly however much it is."""

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.domain.findings import Size
from shared.storage.schema import metadata
from shared.storage.store import Store
from shared.storage.types import Members

_COUNTED = 10_000  # rows of a table; beyond it, what the database can tell without counting
_MOST_COUNTED = 1_000_000  # where there is nothing to guess by
_WEIGHED_BYTES = 1 << 30  # of a SQLite file whose pages are looked at one by one

_POSTGRES = sa.text(
    "SELECT c.relname, greatest(s.n_live_tup, c.reltuples)::bigint, pg_total_relation_size(c.oid) "
    "FROM pg_class c LEFT JOIN pg_stat_user_tables s ON s.relid = c.oid "
    "WHERE c.oid = ANY (SELECT to_regclass(name) FROM unnest(:names) AS name)"
).bindparams(sa.bindparam("names", type_=Members(sa.Text)))
_ROW_ID: sa.ColumnElement[int] = sa.literal_column("rowid")
_FILE_BYTES = sa.text("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")
_PAGES = sa.text(
    "SELECT m.tbl_name, sum(d.pgsize) FROM dbstat d JOIN sqlite_master m ON m.name = d.name "
    "WHERE d.aggregate = TRUE GROUP BY m.tbl_name"
)


async def sizes(store: Store, reading: AsyncConnection) -> list[Size]:
    """Tell rows and bytes of every table, the largest first."""
    known = await (_sqlite(reading) if store.sqlite else _postgres(reading))
    found = [await _size(reading, table, *known[table.name]) for table in metadata.sorted_tables]
    return sorted(found, key=lambda size: (-(size.bytes or 0), -size.rows, size.table))


async def _size(
    reading: AsyncConnection, table: sa.Table, guessed: int, weight: int | None
) -> Size:
    counted = await _count(reading, table, _COUNTED + 1)
    exact = counted <= _COUNTED
    rows = counted if exact else max(guessed, counted)
    return Size(table=table.name, rows=rows, exact=exact, bytes=weight)


async def _count(reading: AsyncConnection, table: sa.Table, most: int) -> int:
    some = sa.select(sa.literal_column("1")).select_from(table).limit(most).subquery()
    return int((await reading.execute(sa.select(sa.func.count()).select_from(some))).scalar_one())


async def _postgres(reading: AsyncConnection) -> dict[str, tuple[int, int]]:
    rows = await reading.execute(_POSTGRES, {"names": list(metadata.tables)})
    return {name: (guessed, weight) for name, guessed, weight in rows}


async def _sqlite(reading: AsyncConnection) -> dict[str, tuple[int, int | None]]:
    weights: dict[str, int] = {}
    if (await reading.execute(_FILE_BYTES)).scalar_one() <= _WEIGHED_BYTES:
        weights = dict((await reading.execute(_PAGES)).all())
    return {
        table.name: (await _span(reading, table), weights.get(table.name))
        for table in metadata.sorted_tables
    }


async def _span(reading: AsyncConnection, table: sa.Table) -> int:
    """Guess by the span of row ids, which counts removed rows in between, too."""
    if not table.dialect_options["sqlite"]["with_rowid"]:
        return await _count(reading, table, _MOST_COUNTED)
    # Each by itself: asked for both at once, SQLite reads the whole table.
    newest = sa.select(sa.func.max(_ROW_ID)).select_from(table).scalar_subquery()
    oldest = sa.select(sa.func.min(_ROW_ID)).select_from(table).scalar_subquery()
    return (await reading.execute(sa.select(newest - oldest + 1))).scalar_one() or 0
