"""Processes that know of each other by PostgreSQL's locks: who leaves last is told so."""

import asyncio
from contextlib import AsyncExitStack

import pytest
import sqlalchemy as sa

from shared.storage import presence
from shared.storage.presence import Presence
from tests.platforms import House

_HOLDERS = sa.text(
    "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND database = "
    "(SELECT oid FROM pg_database WHERE datname = current_database())"
)
_END = sa.text("SELECT pg_terminate_backend(:pid)")


@pytest.fixture
def kind() -> str:
    return "postgres"


async def holders(house: House) -> list[int]:
    async with house.store.reading() as reading:
        return list((await reading.execute(_HOLDERS)).scalars())


async def leaves(one: Presence) -> bool:
    async with one.leaving() as alone:
        return alone


@pytest.fixture
def url(house: House) -> str:
    return house.platform.settings.database


async def test_the_last_one_is_told(house: House, url: str) -> None:
    async with Presence(url) as first, Presence(url) as second:
        assert len(await holders(house)) == 2
        assert not await leaves(first)
        assert await leaves(second)
    assert await holders(house) == []


async def test_of_many_that_leave_at_once_one_is_the_last_at_most(url: str) -> None:
    async with AsyncExitStack() as stack:
        here = [await stack.enter_async_context(Presence(url)) for _ in range(5)]
        async with AsyncExitStack() as left:
            alone = await asyncio.gather(
                *(left.enter_async_context(each.leaving()) for each in here[1:])
            )
            assert not any(alone)
            assert await leaves(here[0])


async def test_nobody_comes_until_the_last_one_has_left(
    house: House, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "_AGAIN_SECONDS", 0)
    async with AsyncExitStack() as new:
        async with Presence(url) as last, last.leaving() as alone:
            assert alone
            entering = asyncio.create_task(new.enter_async_context(Presence(url)))
            for _ in range(20):
                await holders(house)
            assert not entering.done()
        await entering
        assert len(await holders(house)) == 1


async def test_who_was_cut_off_is_here_again(
    house: House, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "_CHECK_SECONDS", 0)
    async with Presence(url), Presence(url) as other:
        cut = await holders(house)
        async with house.store.reading() as reading:
            for pid in cut:
                await reading.execute(_END, {"pid": pid})
        async with asyncio.timeout(10):
            while len(set(await holders(house)) - set(cut)) < 2:
                pass
        assert not await leaves(other)


async def test_who_was_cut_off_just_before_it_left_is_the_last_all_the_same(
    house: House, url: str
) -> None:
    async with Presence(url) as last:
        [pid] = await holders(house)
        async with house.store.reading() as reading:
            await reading.execute(_END, {"pid": pid})
        assert await leaves(last)
