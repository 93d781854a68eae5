"""Caps are exact, however many ask at once."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
import sqlalchemy as sa

from shared.domain.agent import agent_id_of
from shared.domain.execution import Claim, Refusal
from shared.domain.message import Reply
from shared.domain.outcome import Deferred, GivenBack, Outcome, Paused, Succeeded
from shared.domain.requests import NewKey
from shared.domain.run import Approval
from shared.ids import RunId
from shared.storage import claims
from shared.storage.schema import agents, pools, principals, runs
from tests.contract.conftest import Open
from tests.platforms import House

MOST = 2
Cap = Callable[[House], Awaitable[None]]


async def of_the_agent(house: House) -> None:
    capped = agents.update().where(agents.c.id == agent_id_of("echo"))
    await house.write(capped.values(max_running=MOST))


async def of_the_pool(house: House) -> None:
    await house.write(pools.update().where(pools.c.name == "default").values(max_running=MOST))


async def of_the_principal(house: House) -> None:
    await house.write(principals.insert().values(id=house.me.id, max_running=MOST))


async def of_a_key(house: House) -> None:
    """Its principal's, which is who posts here."""
    me = house.me
    new = NewKey(name="k", scope=me.scope, tenant=me.tenant, user_id=me.user_id, max_running=MOST)
    await house.platform.keys.create(new)


async def of_all_three(house: House) -> None:
    for cap in (of_the_agent, of_the_pool, of_the_principal):
        await cap(house)


async def heads(house: House, count: int) -> list[RunId]:
    return [(await house.post(await house.session())).run.id for _ in range(count)]


CAPS = [of_the_agent, of_the_pool, of_the_principal, of_a_key, of_all_three]


@pytest.mark.parametrize("cap", CAPS)
async def test_a_cap_is_exact_among_claims_of_many_processes(
    house: House, open_it: Open, database: str, cap: Cap
) -> None:
    waiting = await heads(house, 6)
    async with AsyncExitStack() as opened:
        houses = [house]
        if database.startswith("postgresql"):
            houses.append(await opened.enter_async_context(open_it()))
        await cap(house)
        asked = [(each, await each.worker(), run_id) for run_id in waiting for each in houses]
        results = await asyncio.gather(
            *(each.platform.execution.claim(worker, run_id) for each, worker, run_id in asked)
        )
    granted = [each for each in results if isinstance(each, Claim)]
    assert len(granted) == MOST == await house.count(runs, runs.c.status == "running")
    assert Refusal.NOT_NOW in results
    held_back = await house.rows(sa.select(runs).where(runs.c.status == "queued"))
    assert {(row.dispatch, row.wait_cause) for row in held_back} == {("ready", "concurrency_cap")}


@pytest.mark.parametrize("cap", CAPS)
async def test_who_counts_waits_until_the_other_has_committed(house: House, cap: Cap) -> None:
    if house.store.sqlite:
        return  # it has one writer
    first, second, third = await heads(house, 3)
    await cap(house)
    worker = await house.worker()
    await house.claim(worker, first)
    async with house.store.transaction() as transaction:
        [granted] = await claims.claim(house.store, transaction, [claims.Request(worker, second)])
        refused = asyncio.create_task(house.platform.execution.claim(worker, third))
        await house.until_somebody_waits_for_a_lock()
    assert isinstance(granted, Claim)
    assert await refused is Refusal.NOT_NOW


@pytest.mark.parametrize(
    "outcome",
    [
        Succeeded(reply=Reply(content="yes")),
        Deferred(seconds=60, why="busy"),
        Paused(approvals=(Approval(call_id="1", tool="pay", arguments=None),)),
        GivenBack(lost=True),
    ],
)
async def test_a_place_is_free_again_after_every_exit(house: House, outcome: Outcome) -> None:
    await of_all_three(house)
    first, second, third = await heads(house, 3)
    worker = await house.worker()
    claim = await house.claim(worker, first)
    await house.claim(worker, second)
    assert await house.platform.execution.claim(worker, third) is Refusal.NOT_NOW
    await house.settle(claim, outcome)
    await house.claim(worker, third)


async def test_a_free_place_is_offered_at_once_and_to_no_more_than_it_takes(house: House) -> None:
    await of_the_agent(house)
    first, second, third, fourth = await heads(house, 4)
    worker = await house.worker()
    claim, _ = await house.claim(worker, first), await house.claim(worker, second)
    for run_id in (third, fourth):
        assert await house.platform.execution.claim(worker, run_id) is Refusal.NOT_NOW
    takeable = sa.select(runs.c.id).where(
        runs.c.dispatch == "ready", runs.c.announce_hold_until.is_(None)
    )
    assert await house.rows(takeable) == []
    await house.answer(claim)
    assert [row.id for row in await house.rows(takeable)] == [third]


async def test_a_cap_binds_only_whom_it_names(house: House) -> None:
    capped = [await house.post(await house.session("capped")) for _ in range(3)]
    free = await heads(house, 3)
    worker = await house.worker(slots=10)
    claim = house.platform.execution.claim
    results = [await claim(worker, each.run.id) for each in capped]
    assert [isinstance(each, Claim) for each in results] == [True, True, False]
    waiting = (await house.run(capped[2].run.id)).waiting_for
    assert waiting is not None
    assert waiting.cause == "concurrency_cap"
    for run_id in free:
        await house.claim(worker, run_id)
