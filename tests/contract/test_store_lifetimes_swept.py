"""The end of sessions that nobody renews: warned of once, said once, and heard of by who waits."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from shared.domain.living import Living
from shared.domain.run import RunStatus
from shared.domain.session import Session, SessionStatus
from shared.ids import SessionId
from shared.storage import expiry
from shared.storage.instants import Brought
from shared.storage.schema import sessions
from shared.storage.store import Store, Transaction
from tests.contract.living import MINUTE, STEADY, USUAL, end, hearing, heartbeat, renew
from tests.platforms import House

Renewing = Callable[[House, SessionId], Awaitable[Living]]
Sweeping = Callable[[Store, Transaction], Awaitable[Brought]]


async def sweep(house: House) -> None:
    await house.platform.upkeep.due()


async def look(house: House, session: Session) -> tuple[bool, bool, int]:
    """Whether somebody was warned, whether it is marked, and by how much the version moved."""
    lifetime = (after := await house.look(session)).lifetime
    assert lifetime is not None
    moved = after.version - session.version
    return lifetime.warned_at is not None, lifetime.expired_at is not None, moved


async def test_a_warning_and_the_end_are_said_once(house: House) -> None:
    session = await house.session(expiry=USUAL)
    lasting = await house.session()
    with hearing(house) as heard:
        house.wait(24 * MINUTE)
        await sweep(house)
        assert await look(house, session) == (False, False, 0)
        house.wait(1 * MINUTE)
        for _ in range(2):
            await sweep(house)
            await house.platform.upkeep.sweep()
            assert await look(house, session) == (True, False, 1)
        assert heard.moved == [session.id]
        house.wait(5 * MINUTE)
        for _ in range(2):
            await sweep(house)
            assert await look(house, session) == (True, True, 2)
        assert heard.moved == [session.id, session.id]
    assert await house.look(lasting) == lasting


async def test_what_is_past_its_end_is_not_warned(house: House) -> None:
    session = await house.session(expiry=USUAL)
    house.wait(31 * MINUTE)
    async with house.store.transaction() as transaction:
        await expiry.warn(house.store, transaction)
    assert await look(house, session) == (False, False, 0)
    await sweep(house)
    assert await look(house, session) == (False, True, 1)


@pytest.mark.parametrize("verb", [renew, heartbeat], ids=lambda each: each.__name__)
async def test_who_was_renewed_is_warned_again(house: House, verb: Renewing) -> None:
    session = await house.session(expiry=USUAL)
    house.wait(26 * MINUTE)
    await sweep(house)
    living = await verb(house, session.id)
    assert living.lifetime.warned_at is None
    house.wait(26 * MINUTE)
    await sweep(house)
    assert await look(house, session) == (True, False, 3)


async def test_a_message_to_one_that_it_does_not_renew_leaves_the_warning(house: House) -> None:
    session = await house.session(expiry=STEADY)
    house.wait(26 * MINUTE)
    await sweep(house)
    await house.post(session)
    await sweep(house)
    assert await look(house, session) == (True, False, 2)


async def test_what_ended_is_neither_warned_of_nor_told_of(house: House) -> None:
    ended, deleted = await house.session(expiry=USUAL), await house.session(expiry=USUAL)
    await end(house, ended.id)
    [row] = await house.rows(sessions.select().where(sessions.c.id == ended.id))
    assert row.warn_at is None
    await house.platform.sessions.delete(house.me, deleted.id)
    house.wait(26 * MINUTE)
    await sweep(house)
    rows = await house.rows(sessions.select())
    assert [row.warned_at for row in rows] == [None, None]
    async with house.store.reading() as reading:
        assert not await expiry.anything(house.store, reading)


@pytest.mark.parametrize(("minutes", "verb"), [(26, expiry.warn), (31, expiry.expire)])
async def test_sweepers_share_what_has_come(house: House, minutes: int, verb: Sweeping) -> None:
    made = {(await house.session(expiry=USUAL)).id for _ in range(5)}
    house.wait(minutes * MINUTE)

    async def once() -> tuple[SessionId, ...]:
        async with house.store.transaction() as transaction:
            return (await verb(house.store, transaction)).sessions

    brought = await asyncio.gather(*(once() for _ in range(3)))
    said = [session_id for each in brought for session_id in each]
    assert (len(said), set(said)) == (5, made)


async def test_there_is_more_than_a_round(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    made = [await house.session(expiry=USUAL) for _ in range(5)]
    for name in ("_NEAR", "_UP"):
        monkeypatch.setattr(expiry, name, getattr(expiry, name).limit(2))
    monkeypatch.setattr(expiry, "_A_ROUND", 2)
    house.wait(26 * MINUTE)
    await sweep(house)
    assert {await look(house, each) for each in made} == {(True, False, 1)}
    house.wait(5 * MINUTE)
    await sweep(house)
    assert {await look(house, each) for each in made} == {(True, True, 2)}


async def test_what_the_contract_began_is_cleared(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.service.lifetimes._AT_ONCE", 2)
    theirs = [await house.session(origin="elizaos", expiry=USUAL) for _ in range(5)]
    others = [await house.session(), await house.session(expiry=USUAL)]
    await end(house, theirs[0].id)
    run = (await house.post(theirs[1])).run
    claim = await house.claim(await house.worker(), (await house.post(theirs[2])).run.id)
    with hearing(house) as heard:
        assert await house.platform.lifetimes.clear() == 4
    assert (heard.moved, heard.told) == ([each.id for each in theirs[1:]], [claim.run_id])
    assert {(await house.look(each)).status for each in theirs} == {SessionStatus.ENDED}
    assert {(await house.look(each)).status for each in others} == {SessionStatus.IDLE}
    for run_id, status in ((run.id, RunStatus.CANCELLED), (claim.run_id, RunStatus.RUNNING)):
        found = await house.run(run_id)
        assert (found.status, found.cancel and found.cancel.reason) == (status, "server_shutdown")
    assert await house.platform.lifetimes.clear() == 0


async def test_clearing_takes_no_longer_than_it_may(house: House) -> None:
    await house.session(origin="elizaos")
    assert await house.platform.lifetimes.clear(seconds=0) == 0
    assert await house.platform.lifetimes.clear() == 1
