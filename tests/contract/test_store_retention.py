"""What has served goes: each kind after its time, a batch at a time, and nothing else with it."""

from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from shared.clock import SECOND, Instant
from shared.domain.event import EventType, NewEvent, Said
from shared.domain.idempotency import KEPT
from shared.domain.run import Dispatch
from shared.ids import new_id
from shared.service import retention
from shared.service.retention import Retention, keeping_times
from shared.storage.retention import KINDS, Kind
from shared.storage.schema import (
    deliveries,
    idempotency_keys,
    metadata,
    meters,
    run_events,
    runs,
    sessions,
    workers,
)
from shared.storage.upkeep import remove_deleted
from tests.contract.storyteller import saying
from tests.platforms import House

DAY = 86_400
KEEP = keeping_times(event_seconds=100, delivery_days=2, worker_days=3)


def sweeping(house: House, budget_seconds: float = 10.0) -> Retention:
    return Retention(house.store, KEEP, budget_seconds=budget_seconds)


async def now(house: House) -> int:
    async with house.store.reading() as reading:
        return await house.store.now(reading)


async def keys(house: House, count: int, name: str = "key") -> None:
    made = {"principal_id": house.me.id, "body_hash": b"x", "created_at": await now(house)}
    for number in range(count):
        await house.write(idempotency_keys.insert().values(made | {"key": f"{name} {number}"}))


async def delivery(house: House, **values: Any) -> None:  # noqa: ANN401
    made = {
        "id": new_id(),
        "principal_id": house.me.id,
        "event": "run.succeeded",
        "url": "https://example.org",
        "target": "https://example.org",
        "status": "delivered",
        "created_at": await now(house),
    }
    await house.write(deliveries.insert().values(made | values))


async def test_a_key_is_forgotten_after_its_day(house: House) -> None:
    await keys(house, 3)
    house.wait(KEPT / SECOND - 10)
    await sweeping(house).sweep()
    assert await house.count(idempotency_keys) == 3
    house.wait(20)
    await keys(house, 1, "late")
    await sweeping(house).sweep()
    assert [row.key for row in await house.rows(sa.select(idempotency_keys.c.key))] == ["late 0"]


async def test_a_delivery_that_ended_goes_and_one_that_is_tried_stays(house: House) -> None:
    await delivery(house)
    await delivery(house, status="pending", next_at=await now(house))
    house.wait(2 * DAY + 1)
    await delivery(house)
    await sweeping(house).sweep()
    left = await house.rows(sa.select(deliveries.c.status).order_by(deliveries.c.status))
    assert [row.status for row in left] == ["delivered", "pending"]


async def test_deltas_go_some_time_after_their_run_and_all_other_events_stay(house: House) -> None:
    session, claim = await house.start()
    kinds = ("message.delta", "reasoning.delta", "tool.called")
    at = await now(house)
    said = tuple(NewEvent(type=EventType(kind), data={}, at=Instant(at)) for kind in kinds)
    append = replace(saying(claim), said=Said(start=0, events=said))
    assert await house.platform.execution.append(append)
    house.wait(500)
    await sweeping(house).sweep()
    assert await house.count(run_events, run_events.c.number <= 3) == 3  # it still runs
    await house.answer(claim)
    house.wait(50)
    await sweeping(house).sweep()
    assert await house.count(run_events, run_events.c.number <= 3) == 3
    house.wait(51)
    await sweeping(house).sweep()
    assert await house.count(run_events, run_events.c.number <= 3) == 1
    assert (await house.look(session)).message_count == 2


async def test_a_worker_that_left_goes_unless_it_still_holds_a_run(house: House) -> None:
    gone, holding = await house.worker(), await house.worker()
    run = (await house.post(await house.session())).run
    claim = await house.claim(holding, run.id)
    for worker in (gone, holding):
        await house.platform.execution.retire(worker)
    house.wait(3 * DAY + 1)
    staying = await house.worker()
    await sweeping(house).sweep()
    left = {row.id for row in await house.rows(sa.select(workers.c.id))}
    assert left == {holding, staying}
    await house.platform.upkeep.give_back_left_behind()
    await sweeping(house).sweep()
    assert await house.count(workers) == 1
    assert (await house.run(claim.run_id)).attempts[0].worker is None


async def test_an_idle_meter_says_nothing_and_goes(house: House) -> None:
    at = await now(house)
    idle, busy = (
        {"subject": "a", "arrival_at": at},
        {"subject": "b", "arrival_at": at + 10 * DAY * SECOND},
    )
    for row in (idle, busy):
        await house.write(meters.insert().values(row))
    house.wait(1)
    await sweeping(house).sweep()
    assert [row.subject for row in await house.rows(sa.select(meters.c.subject))] == ["b"]


async def test_rows_of_a_deleted_session_go(house: House) -> None:
    session = await house.session()
    await house.post(session)
    await house.platform.sessions.delete(house.me, session.id)
    assert await house.count(sessions) == 1
    await sweeping(house).sweep()
    await sweeping(house).sweep()
    assert (await house.count(sessions), await house.count(runs)) == (0, 0)


async def test_runs_that_said_much_go_a_few_at_a_time(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.storage.upkeep._EVENTS_AT_ONCE", 10)
    session, claim = await house.start()
    await house.post(session)
    for _ in range(2):
        assert await house.platform.execution.append(saying(claim, "a", "b", "c"))
        await house.answer(claim)
        heads = await house.rows(sa.select(runs.c.id).where(runs.c.dispatch == Dispatch.READY))
        for row in heads:
            claim = await house.claim(await house.worker(), row.id)
    await house.platform.sessions.delete(house.me, session.id)
    left = []
    for more in (True, False):
        async with house.store.transaction() as transaction:
            assert await remove_deleted(transaction) is more
        left.append((await house.count(runs), await house.count(run_events) > 0))
    assert left == [(1, True), (0, False)]


async def test_batches_go_on_until_nothing_is_left_or_time_is_up(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "_AT_ONCE", 4)
    await keys(house, 11)
    await delivery(house)
    house.wait(3 * DAY)
    clock = iter(range(100))
    monkeypatch.setattr(retention, "monotonic", lambda: float(next(clock)))
    kinds = len(KEEP)
    tight = sweeping(house, budget_seconds=kinds + 0.5)
    await tight.sweep()
    assert await house.count(idempotency_keys) == 7  # one batch, and every kind had its turn
    assert await house.count(deliveries) == 0
    await sweeping(house, budget_seconds=90).sweep()
    assert await house.count(idempotency_keys) == 0


async def test_a_kind_that_fails_does_not_stop_the_next(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> int:
        raise ZeroDivisionError

    failing = {"idempotency keys": Kind(broken, KINDS["idle meters"].oldest)}
    monkeypatch.setattr(retention, "KINDS", KINDS | failing)
    await delivery(house)
    house.wait(3 * DAY)
    await sweeping(house).sweep()
    assert await house.count(deliveries) == 0


async def test_the_doctor_tells_how_much_there_is_and_how_old(house: House) -> None:
    await keys(house, 3)
    seen = await house.platform.operations.examine()
    sizes = {each.table: each for each in seen.sizes}
    assert sizes.keys() == metadata.tables.keys()
    assert (sizes["idempotency_keys"].rows, sizes["idempotency_keys"].exact) == (3, True)
    assert all(each.bytes for each in seen.sizes)
    ages = {each.name: each for each in seen.keepings}
    assert ages["idempotency keys"].seconds == DAY
    assert ages["idempotency keys"].oldest_at is not None
    assert ages["deliveries that ended"].oldest_at is None
    assert not any(each.overdue(seen.at) for each in seen.keepings)
    house.wait(3 * DAY)
    late = await house.platform.operations.examine()
    assert [each.name for each in late.keepings if each.overdue(late.at)] == ["idempotency keys"]


async def test_a_long_table_is_guessed_not_counted(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.storage.sizes._COUNTED", 4)
    await keys(house, 7)
    seen = await house.platform.operations.examine()
    [size] = [each for each in seen.sizes if each.table == "idempotency_keys"]
    assert not size.exact
    assert size.rows >= 5  # PostgreSQL has yet to hear of the rest
