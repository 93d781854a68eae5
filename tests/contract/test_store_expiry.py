"""Sessions that expire: put off by messages, marked once, and what was there before they began."""

import asyncio
from dataclasses import replace
from typing import Any

from shared.clock import SECOND
from shared.domain.execution import Claim
from shared.domain.lifetime import Expiry
from shared.domain.message import Role
from shared.domain.requests import NewSession
from shared.domain.session import Session
from shared.domain.state import SessionState
from shared.storage.expiry import expire
from shared.storage.schema import sessions
from tests.platforms import House

MINUTE = 60
HALF_HOUR = Expiry(timeout_minutes=30)


def left(session: Session) -> float:
    """Minutes between the beginning and the end."""
    assert session.expires_at is not None
    return (session.expires_at - session.created_at) / (MINUTE * SECOND)


async def expired(house: House) -> set[Any]:
    """Sessions that are marked."""
    query = sessions.select().where(sessions.c.expired_at.is_not(None))
    return {row.id for row in await house.rows(query)}


async def test_a_message_puts_it_off(house: House) -> None:
    session = await house.session(expiry=HALF_HOUR)
    assert left(session) == 30
    house.wait(20 * MINUTE)
    await house.post(session)
    renewed = await house.look(session)
    assert 50 <= left(renewed) < 51
    assert renewed.version > session.version
    [row] = await house.rows(sessions.select())
    assert (row.renewal_count, row.warned_at) == (1, None)


async def test_it_is_put_off_no_further_than_its_policy_says(house: House) -> None:
    steady = await house.session(expiry=replace(HALF_HOUR, auto_renew=False))
    bounded = await house.session(expiry=replace(HALF_HOUR, max_duration_minutes=40))
    house.wait(20 * MINUTE)
    for session in (steady, bounded):
        await house.post(session)
    assert left(await house.look(steady)) == 30
    assert left(await house.look(bounded)) == 40


async def test_an_answer_does_not_put_it_off(house: House) -> None:
    session = await house.session(expiry=HALF_HOUR)
    run = (await house.post(session)).run
    before = left(await house.look(session))
    house.wait(20 * MINUTE)
    await house.answer(await house.claim(await house.worker(), run.id))
    assert left(await house.look(session)) == before


async def test_its_end_is_marked_once_and_it_is_served_all_the_same(house: House) -> None:
    session = await house.session(expiry=HALF_HOUR)
    lasting = await house.session()
    await house.platform.upkeep.sweep()
    assert await expired(house) == set()
    house.wait(30 * MINUTE + 1)
    before = await house.look(session)
    await house.platform.upkeep.sweep()
    assert await expired(house) == {session.id}
    after = await house.look(session)
    assert after.version == before.version + 1
    assert replace(after, version=before.version, lifetime=before.lifetime) == before
    marked = await house.rows(sessions.select().where(sessions.c.id == session.id))
    house.wait(MINUTE)
    await house.post(session)
    await house.post(lasting)
    await house.platform.upkeep.sweep()
    [row] = await house.rows(sessions.select().where(sessions.c.id == session.id))
    assert row.expired_at == marked[0].expired_at
    assert left(await house.look(session)) == 30


async def test_sweepers_share_what_expires(house: House) -> None:
    made = {(await house.session(expiry=HALF_HOUR)).id for _ in range(5)}
    house.wait(31 * MINUTE)

    async def sweep() -> None:
        async with house.store.transaction() as transaction:
            await expire(house.store, transaction)

    await asyncio.gather(*(sweep() for _ in range(3)))
    assert await expired(house) == made


async def test_an_agent_is_told_what_was_said_before(house: House) -> None:
    said = tuple((Role.USER if n % 2 else Role.ASSISTANT, f"{n}") for n in range(1, 7))
    session = await house.session("historian", initial_messages=said)
    run = (await house.post(session, "7")).run
    claim: Claim = await house.claim(await house.worker(), run.id)
    assignment = await house.platform.execution.load(claim)
    assert [each.content for each in assignment.context] == ["1", "2", "3", "4", "5", "6"]
    assert [each.content for each in assignment.messages] == ["7"]
    await house.answer(claim, "8")
    assert [message.content for message in await house.messages(session)] == list("12345678")
    assert (await house.look(session)).message_count == 8


async def test_of_two_changes_to_a_state_both_are_seen_or_one_is_refused(house: House) -> None:
    session = await house.session()
    states = house.platform.states

    async def change(name: str) -> SessionState:
        patch: dict[str, Any] = {"memory": {name: 1}}
        return await states.change(house.me, session.id, patch, expected=lambda _: True)

    await asyncio.gather(*(change(each) for each in "abcd"))
    state = await states.get(house.me, session.id)
    assert (set(state.memory), state.version) == (set("abcd"), 4)
    assert (await house.look(session)).version == session.version


async def test_a_session_that_goes_on_is_a_session_of_its_own(house: House) -> None:
    session = await house.session()
    patch: dict[str, Any] = {"memory": {"a": 1}}
    await house.platform.states.change(house.me, session.id, patch, expected=lambda _: True)
    new = NewSession(continue_from=session.id)
    heir = await house.platform.sessions.create(house.me, new)
    patch = {"memory": {"b": 1}}
    await house.platform.states.change(house.me, heir.id, patch, expected=lambda _: True)
    assert (await house.platform.states.get(house.me, session.id)).memory == {"a": 1}
    assert (await house.platform.states.get(house.me, heir.id)).memory == {"a": 1, "b": 1}
    [row] = await house.rows(sessions.select().where(sessions.c.id == heir.id))
    assert row.continued_from == session.id
