"""Bounds on what is queued: a session's is exact, the others as exact as their last count."""

import asyncio
from collections import Counter

import pytest

from shared.domain.errors import InturnError, Overloaded, QueueFull, SessionQueueFull
from shared.domain.requests import Accepted
from shared.ids import RunId, SessionId
from shared.service.intake import Post
from shared.storage.schema import runs
from tests.contract.conftest import Open
from tests.platforms import House, a_message


async def post_at_once(house: House, *sessions: SessionId) -> Counter[str]:
    """Post one message to each of these by itself; count what became of them."""
    results = await asyncio.gather(
        *(house.platform.intake.accept(house.me, a_message(each)) for each in sessions),
        return_exceptions=True,
    )
    return ends(results)


async def head(house: House) -> RunId:
    return RunId((await house.rows(runs.select().order_by(runs.c.seq)))[0].id)


def ends(results: object) -> Counter[str]:
    assert isinstance(results, list)
    return Counter(
        each.code if isinstance(each, InturnError) else type(each).__name__ for each in results
    )


async def batch(house: House, *sessions: SessionId) -> Counter[str]:
    posts = [Post(new=a_message(each)) for each in sessions]
    return ends(list(await house.platform.intake.accept_many(house.me, posts)))


@pytest.mark.parametrize("post", [post_at_once, batch])
async def test_a_session_takes_so_many_however_they_come(house: House, post: object) -> None:
    assert callable(post)
    session = await house.session()
    assert await post(house, *[session.id] * 12) == {"Accepted": 5, "session_queue_full": 7}
    claim = await house.claim(await house.worker(), await head(house))
    assert await post(house, session.id, session.id) == {"Accepted": 1, "session_queue_full": 1}
    await house.answer(claim)
    refused = await asyncio.gather(house.post(await house.look(session)), return_exceptions=True)
    assert isinstance(refused[0], SessionQueueFull)
    assert refused[0].retry_after == 5


@pytest.mark.parametrize("post", [post_at_once, batch])
async def test_a_principal_has_so_many_queued_however_they_come(
    open_it: Open, post: object
) -> None:
    assert callable(post)
    async with open_it(max_queued_per_principal=4) as house:
        await house.platform.intake.refresh_totals()
        sessions = [(await house.session()).id for _ in range(10)]
        assert await post(house, *sessions) == {"Accepted": 4, "queue_full": 6}
        with pytest.raises(QueueFull) as refused:
            await house.post(await house.session())
        assert refused.value.retry_after == 10
        await house.platform.intake.refresh_totals()
        assert await post(house, *sessions[:2]) == {"queue_full": 2}
        claim = await house.claim(await house.worker(), await head(house))
        await house.platform.intake.refresh_totals()
        assert await post(house, *sessions) == {"Accepted": 1, "queue_full": 9}
        await house.answer(claim)


async def test_what_is_refused_takes_up_no_room(open_it: Open) -> None:
    async with open_it(max_queued_per_principal=7) as house:
        await house.platform.intake.refresh_totals()
        session = await house.session()
        await post_at_once(house, *[session.id] * 7)
        assert await house.count(runs) == 5
        other = await house.session()
        assert await post_at_once(house, *[other.id] * 4) == {"Accepted": 2, "queue_full": 2}


async def test_all_together_have_so_many_queued(open_it: Open) -> None:
    async with open_it(max_queued=3) as house:
        await house.platform.intake.refresh_totals()
        sessions = [(await house.session()).id for _ in range(6)]
        assert await batch(house, *sessions) == {"Accepted": 3, "overloaded": 3}
        with pytest.raises(Overloaded) as refused:
            await house.post(await house.session())
        assert refused.value.retry_after == 30


async def test_a_process_learns_what_another_let_in(open_it: Open, database: str) -> None:
    if database.startswith("sqlite"):
        return  # it has one process
    async with (
        open_it(max_queued_per_principal=3) as one,
        open_it(max_queued_per_principal=3) as two,
    ):
        for house in (one, two):
            await house.platform.intake.refresh_totals()
        session = await one.session()
        for _ in range(3):
            assert isinstance(await one.post(session), Accepted)
        await two.platform.intake.refresh_totals()
        with pytest.raises(QueueFull):
            await two.post(session)
