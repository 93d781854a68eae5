"""The schema: what the code knows is what the migrations make, and nothing is found by scanning."""

from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from shared.storage import caps, ending, expiry, instants, starts
from shared.storage.schema import metadata
from tests.platforms import House


def differences(connection: sa.Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"include_object": comparable})
    return list(compare_metadata(context, metadata))


def comparable(_: object, name: str, *__: object) -> bool:
    """On SQLite Alembic cannot read an index by a falling column, this one."""
    return name != "ix_runs_ready"


async def test_the_migrations_make_the_tables_that_the_code_knows(house: House) -> None:
    async with house.store.transaction() as transaction:
        assert await transaction.run_sync(differences) == []


def test_removing_a_row_scans_no_table_that_refers_to_it() -> None:
    for table in metadata.sorted_tables:
        whole = [
            index for index in table.indexes if index.dialect_kwargs.get("sqlite_where") is None
        ]
        leading = {table.primary_key.columns[0], *(index.columns[0] for index in whole)}
        for key in table.foreign_keys:
            assert key.parent in leading, f"{key.parent} has no whole index"


async def test_a_sessions_runs_are_found_by_their_index(house: House) -> None:
    if not house.store.sqlite:
        return  # its planner decides by the number of rows
    query = sa.text(
        "EXPLAIN QUERY PLAN SELECT * FROM runs WHERE session_id = 'x' ORDER BY seq, id LIMIT 50"
    )
    async with house.store.reading() as reading:
        plan = (await reading.execute(query)).all()
    assert "uq_runs_seq" in str(plan[0])


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (instants._DUE, "ix_runs_scheduled"),  # noqa: SLF001
        (instants._LATE, "ix_runs_deadline"),  # noqa: SLF001
        (instants._UNDECIDED, "ix_runs_waiting"),  # noqa: SLF001
        (expiry._UP, "ix_sessions_expiring"),  # noqa: SLF001
        (expiry._NEAR, "ix_sessions_warning"),  # noqa: SLF001
        (ending._CLEARABLE, "ix_sessions_clearable"),  # noqa: SLF001
    ],
)
async def test_whose_time_has_come_is_found_by_its_index(
    house: House, query: sa.Select[Any], index: str
) -> None:
    if not house.store.sqlite:
        return  # as above
    plan = await plan_of(house, query)
    assert [index in step for step in plan] == [True]  # and nothing is sorted


async def plan_of(house: House, query: sa.Select[Any]) -> list[str]:
    async with house.store.reading() as reading:
        sql = query.compile(dialect=reading.dialect)
        explained = sa.text(f"EXPLAIN QUERY PLAN {sql}".replace("?", "1"))
        return [str(step) for step in await reading.execute(explained)]


@pytest.mark.parametrize(
    ("query", "by"),
    [
        (starts._HELD, "pool=? AND wait_cause=? AND agent_id=?"),  # noqa: SLF001
        (caps._HELD_BACK, "pool=? AND wait_cause=?"),  # noqa: SLF001
    ],
)
async def test_who_is_held_is_found_by_what_holds_them(
    house: House, query: sa.Select[Any], by: str
) -> None:
    """However many others are held, for another cause or by another agent."""
    if not house.store.sqlite:
        return  # as above
    [first, *_] = await plan_of(house, query)
    assert f"ix_runs_held ({by}" in first
