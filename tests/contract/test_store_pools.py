"""A paused pool starts nothing, a bounded one no more than that; both are let go at once."""

import asyncio

import pytest

from shared.domain.errors import NotFound
from shared.domain.execution import Announcement, Claim, Refusal
from shared.domain.operations import Pool
from shared.ids import RunId
from shared.storage import announcing
from tests.platforms import House


async def announced(house: House, count: int) -> list[RunId]:
    """Queue runs of sessions of their own, and have the broker hear of them."""
    ids = [(await house.post(await house.session())).run.id for _ in range(count)]
    taken = await take(house)
    async with house.store.transaction() as transaction:
        await announcing.mark(house.store, transaction, taken)
    assert {each.run_id for each in taken} == set(ids)
    return ids


async def take(house: House) -> list[Announcement]:
    async with house.store.transaction() as transaction:
        return await announcing.take(house.store, transaction, "default", 50) or []


async def pool(house: House, name: str = "default") -> Pool:
    return next(each for each in await house.platform.pools.list() if each.name == name)


async def test_a_pool_shows_what_waits_what_runs_and_who_serves_it(house: House) -> None:
    first, *_ = await announced(house, 3)
    await house.post(await house.session())
    await house.claim(await house.worker(slots=3), first)
    leaving = await house.worker("default", "narrow", slots=5)
    assert await pool(house) == Pool(
        name="default",
        paused_at=None,
        max_running=None,
        ready=1,
        announced=2,
        running=1,
        workers=2,
        slots=8,
        free_slots=8,
    )
    assert (await pool(house, "narrow")).slots == 5
    await house.platform.execution.retire(leaving)
    assert (await pool(house)).slots == 3
    assert (await pool(house, "narrow")).workers == 0


async def test_resuming_lets_go_at_once_what_was_held_back(house: House) -> None:
    ids = await announced(house, 3)
    worker = await house.worker()
    paused = await house.platform.pools.pause("default")
    assert paused.paused_at is not None
    refused = [await house.platform.execution.claim(worker, run_id) for run_id in ids]
    assert refused == [Refusal.NOT_NOW] * 3
    assert await take(house) == []
    house.wait(60)
    assert (await house.platform.pools.pause("default")).paused_at == paused.paused_at
    again = [await house.platform.execution.claim(worker, run_id) for run_id in ids]
    assert again == [Refusal.NOT_NOW] * 3
    house.said.clear()
    assert (await house.platform.pools.resume("default")).paused_at is None
    assert house.said == ["default"]
    assert {each.run_id for each in await take(house)} == set(ids)
    for run_id in ids:
        await house.claim(worker, run_id)


async def test_a_bound_that_is_lifted_lets_go_at_once_what_it_held_back(house: House) -> None:
    ids = await announced(house, 4)
    worker = await house.worker()
    assert (await house.platform.pools.limit("default", 1)).max_running == 1
    results = [await house.platform.execution.claim(worker, run_id) for run_id in ids]
    assert [isinstance(each, Claim) for each in results] == [True, False, False, False]
    await house.platform.pools.limit("default", 3)
    assert len(await take(house)) == 3
    results = [await house.platform.execution.claim(worker, run_id) for run_id in ids[1:]]
    assert [isinstance(each, Claim) for each in results] == [True, True, False]
    assert (await house.platform.pools.limit("default", None)).max_running is None
    await house.claim(worker, ids[3])


async def test_a_pool_that_nobody_named_is_not_found(house: House) -> None:
    pools = house.platform.pools
    for change in (pools.pause("no"), pools.resume("no"), pools.limit("no", 1)):
        with pytest.raises(NotFound):
            await change
    assert house.said == []


async def test_operators_and_claims_at_once_do_not_wait_for_each_other_in_a_circle(
    house: House,
) -> None:
    ids = await announced(house, 12)
    worker = await house.worker(slots=20)
    claims = (house.platform.execution.claim(worker, run_id) for run_id in ids)
    pools = house.platform.pools
    changes = (pools.pause("default"), pools.limit("default", 5), pools.resume("default"))
    results = await asyncio.gather(*claims, *changes, *(take(house) for _ in range(3)))
    await pools.limit("default", None)
    await pools.resume("default")
    for run_id, claim in zip(ids, results, strict=False):
        if not isinstance(claim, Claim):
            await house.claim(worker, run_id)
    assert (await pool(house)).running == len(ids)
