"""The doctor names each row that breaks an invariant; the guards of its database are gone."""

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from uuid import UUID

import pytest
import pytest_asyncio
import sqlalchemy as sa

from shared.bootstrap import open_for_reading
from shared.domain.findings import Finding
from shared.ids import new_id
from shared.storage.schema import messages, metadata, run_events, runs, sessions
from shared.storage.store import Store
from tests.platforms import (
    House,
    empty,
    migrate,
    open_house,
    settings_for,
    settle_in_a_thread,
    sqlite_url,
)

UNIQUE = ("uq_runs_live", "uq_messages_seq")
Break = Callable[[House], Awaitable[tuple[UUID, ...]]]


async def drop_the_guards(url: str) -> None:
    store = Store(url)
    async with store.transaction() as transaction:
        for index in UNIQUE:
            await transaction.execute(sa.text(f"DROP INDEX {index}"))
        for table in metadata.sorted_tables if not store.sqlite else ():
            for each in table.constraints:
                if isinstance(each, sa.CheckConstraint):
                    drop = f"ALTER TABLE {table.name} DROP CONSTRAINT {each.name}"
                    await transaction.execute(sa.text(drop))
    await store.close()


@pytest.fixture(scope="session")
def unguarded_postgres(
    new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> str:
    url = new_database()
    migrate(url, tmp_path_factory.mktemp("unguarded"))
    settle_in_a_thread(drop_the_guards(url))
    return url


@pytest.fixture(scope="session")
def unguarded_sqlite(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("unguarded") / "inturn.db"
    shutil.copy(sqlite_template, path)
    settle_in_a_thread(drop_the_guards(sqlite_url(path)))
    return sqlite_url(path)


@pytest.fixture
def unguarded(kind: str, request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(f"unguarded_{kind}"))


@pytest_asyncio.fixture(loop_scope="session")
async def house(unguarded: str, tmp_path: Path) -> AsyncIterator[House]:
    await empty(unguarded)
    async with open_house(unguarded, tmp_path) as house:
        if house.store.sqlite:
            await house.write(sa.text("PRAGMA ignore_check_constraints = ON"))
        yield house


async def change(house: House, run_id: UUID, **values: object) -> tuple[UUID, ...]:
    await house.write(runs.update().where(runs.c.id == run_id).values(values))
    return (run_id,)


async def line_of_two(house: House) -> tuple[UUID, UUID]:
    session = await house.session()
    first, second = await house.post(session), await house.post(session)
    return first.run.id, second.run.id


async def succeeded(house: House) -> tuple[UUID, UUID]:
    """A session and its run, all well."""
    session, claim = await house.start()
    await house.answer(claim)
    return session.id, claim.run_id


async def recount(house: House, depth: int) -> None:
    """Right the line of two, of which some are not queued any more."""
    await house.write(
        sessions.update().where(sessions.c.queue_depth == 2).values(queue_depth=depth)
    )


LIVE = {"status": "running", "dispatch": None}


async def ended_without_an_instant(house: House) -> tuple[UUID, ...]:
    _, run_id = await succeeded(house)
    return await change(house, run_id, settled_at=None)


async def settled_but_running(house: House) -> tuple[UUID, ...]:
    _, claim = await house.start()
    return await change(house, claim.run_id, settled_at=1)


async def two_live(house: House) -> tuple[UUID, ...]:
    first, second = await line_of_two(house)
    await change(house, first, **LIVE, worker_id=new_id())
    await change(house, second, status="waiting", dispatch=None)
    await recount(house, 0)
    return (first, second)


async def live_out_of_turn(house: House) -> tuple[UUID, ...]:
    _, second = await line_of_two(house)
    await recount(house, 1)
    return await change(house, second, **LIVE, worker_id=new_id())


async def stranded(house: House) -> tuple[UUID, ...]:
    first, _ = await line_of_two(house)
    return await change(house, first, dispatch="blocked")


async def ready_out_of_turn(house: House) -> tuple[UUID, ...]:
    _, second = await line_of_two(house)
    return await change(house, second, dispatch="ready")


async def announced_out_of_turn(house: House) -> tuple[UUID, ...]:
    _, second = await line_of_two(house)
    return await change(house, second, dispatch="announced")


async def miscounted(house: House) -> tuple[UUID, ...]:
    session = await house.session()
    await house.post(session)
    await house.write(sessions.update().where(sessions.c.id == session.id).values(queue_depth=7))
    return (session.id,)


async def missed(house: House) -> tuple[UUID, ...]:
    session = await house.session()
    await house.post(session, not_before=await house.at(9))
    await house.write(
        sessions.update().where(sessions.c.id == session.id).values(scheduled_depth=0)
    )
    return (session.id,)


async def unanswered(house: House) -> tuple[UUID, ...]:
    _, run_id = await succeeded(house)
    answer = messages.c.role == "assistant"
    await house.write(messages.delete().where(messages.c.run_id == run_id, answer))
    return (run_id,)


async def answered_twice(house: House) -> tuple[UUID, ...]:
    session_id, run_id = await succeeded(house)
    row = {"id": new_id(), "session_id": session_id, "run_id": run_id, "role": "assistant"}
    await house.write(messages.insert().values(row | {"content": "again", "created_at": 1}))
    return (run_id,)


async def answered_by_another(house: House) -> tuple[UUID, ...]:
    _, run_id = await succeeded(house)
    return await change(house, run_id, output_message_id=new_id())


async def an_event_too_many(house: House) -> tuple[UUID, ...]:
    _, run_id = await succeeded(house)
    row = {"run_id": run_id, "number": 9, "type": "run.started", "data": {}, "at": 1}
    await house.write(run_events.insert().values(row))
    return (run_id,)


async def ended_in_silence(house: House) -> tuple[UUID, ...]:
    _, run_id = await succeeded(house)
    return await change(house, run_id, event_count=3)


UNLIKE = "terminal unlike settled"
OUT_OF_TURN = "announced before an older run has ended"
WITHOUT = "succeeded without exactly one answer"
BROKEN: list[tuple[Break, int, str]] = [
    (ended_without_an_instant, 2, UNLIKE),
    (settled_but_running, 2, UNLIKE),
    (two_live, 3, "live beside another live run of its session"),
    (live_out_of_turn, 3, "live before an older run has ended"),
    (stranded, 3, "head of its line and yet blocked"),
    (ready_out_of_turn, 3, OUT_OF_TURN),
    (announced_out_of_turn, 3, OUT_OF_TURN),
    (miscounted, 3, "queue_depth that is not the number of its queued runs"),
    (missed, 3, "scheduled_depth that is not the number of its runs without a place"),
    (unanswered, 5, WITHOUT),
    (answered_twice, 5, WITHOUT),
    (answered_by_another, 5, "succeeded with an output that is not its answer"),
    (an_event_too_many, 5, "an event beyond its count"),
    (ended_in_silence, 5, "settled without an event that says so"),
]


@pytest.mark.parametrize(
    ("broken", "invariant", "problem"), BROKEN, ids=[each[0].__name__ for each in BROKEN]
)
async def test_the_doctor_names_the_row(
    house: House, broken: Break, invariant: int, problem: str
) -> None:
    await succeeded(house)
    await house.start()
    await house.post(await house.session())
    assert await house.platform.operations.doctor() == []
    ids = await broken(house)
    table = "sessions" if broken in {miscounted, missed} else "runs"
    found = await house.platform.operations.doctor()
    for row_id in ids:
        assert Finding(invariant=invariant, table=table, id=row_id, problem=problem) in found
    assert {finding.id for finding in found} <= set(ids)


async def test_a_database_can_be_examined_without_being_opened(
    house: House, tmp_path: Path
) -> None:
    ids = await stranded(house)
    url = house.platform.settings.database_url
    async with open_for_reading(settings_for(url, tmp_path)) as operations:
        assert [finding.id for finding in await operations.doctor()] == list(ids)
