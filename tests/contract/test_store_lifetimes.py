"""How long sessions live: what renews them, what refuses, and what is left when they ended."""

from dataclasses import replace

import pytest

from shared.clock import SECOND
from shared.domain.errors import (
    NotFound,
    RenewalRefused,
    SessionEnded,
    SessionExpired,
)
from shared.domain.lifetime import Expiry
from shared.domain.principal import ANONYMOUS
from shared.domain.requests import NewSession
from shared.domain.run import RunStatus
from shared.domain.session import SessionStatus
from shared.ids import SessionId, new_id
from shared.storage.schema import sessions
from tests.contract.living import (
    HOUR,
    MINUTE,
    SOMEBODY,
    STEADY,
    USUAL,
    VERBS,
    Verb,
    active,
    end,
    get,
    hearing,
    heartbeat,
    left,
    renew,
    reschedule,
    say,
)
from tests.platforms import House


async def test_reading_changes_nothing(house: House) -> None:
    session = await house.session(expiry=USUAL)
    house.wait(20 * MINUTE)
    living = await get(house, session.id)
    assert living.session == session
    assert living.lifetime == session.lifetime
    assert 20 <= (living.now - session.created_at) / (MINUTE * SECOND) < 21


@pytest.mark.parametrize("expiry", [USUAL, STEADY], ids=["auto", "steady"])
async def test_a_renewal_puts_the_end_off_whatever_messages_do(
    house: House, expiry: Expiry
) -> None:
    session = await house.session(expiry=expiry)
    house.wait(20 * MINUTE)
    living = await renew(house, session.id)
    assert 50 <= left(living) < 51
    assert living.lifetime.renewal_count == 1
    assert living.lifetime.expiry == expiry
    assert 20 <= active(living.session) < 21
    again = await get(house, session.id)
    assert again == replace(living, now=again.now)


@pytest.mark.parametrize(("expiry", "renewed"), [(USUAL, True), (STEADY, False)])
async def test_a_heartbeat_renews_what_a_message_would(
    house: House, expiry: Expiry, *, renewed: bool
) -> None:
    session = await house.session(expiry=expiry)
    house.wait(20 * MINUTE)
    living = await heartbeat(house, session.id)
    assert living.lifetime.renewal_count == renewed
    assert left(living) == (pytest.approx(50, abs=1) if renewed else 30)
    assert 20 <= active(living.session) < 21
    accepted = await house.post(session, in_time=True)
    assert (accepted.renewed, accepted.lifetime and accepted.lifetime.renewal_count) == (
        renewed,
        2 * renewed,
    )


@pytest.mark.parametrize("verb", [renew, heartbeat, reschedule], ids=lambda each: each.__name__)
async def test_who_waits_hears_of_it(house: House, verb: Verb) -> None:
    session = await house.session(expiry=USUAL)
    with hearing(house) as heard:
        await verb(house, session.id)
    assert (heard.moved, heard.told) == ([session.id], [])


async def test_at_its_longest_it_is_renewed_to_no_effect_and_then_refused(house: House) -> None:
    session = await house.session(expiry=replace(USUAL, max_duration_minutes=40))
    house.wait(20 * MINUTE)
    assert left(await renew(house, session.id)) == 40
    house.wait(19 * MINUTE)
    again = await renew(house, session.id)
    assert (left(again), again.lifetime.renewal_count) == (40, 2)
    house.wait(1 * MINUTE)
    with pytest.raises(RenewalRefused) as refused:
        await renew(house, session.id)
    assert refused.value.lifetime == again.lifetime
    assert refused.value.now >= again.lifetime.expires_at
    for verb in (get, heartbeat, reschedule, say):
        with pytest.raises(SessionExpired):
            await verb(house, session.id)
    house.wait(24 * HOUR + 5 * MINUTE)
    with pytest.raises(NotFound):
        await renew(house, session.id)


@pytest.mark.parametrize("verb", VERBS, ids=lambda each: each.__name__)
async def test_that_it_expired_is_said_for_a_day_and_then_it_is_gone(
    house: House, verb: Verb
) -> None:
    session = await house.session(expiry=USUAL)
    house.wait(30 * MINUTE)
    for _ in range(2):
        with pytest.raises(SessionExpired) as expired:
            await verb(house, session.id)
    assert (expired.value.session_id, expired.value.expires_at) == (session.id, session.expires_at)
    house.wait(24 * HOUR - MINUTE)
    with pytest.raises(SessionExpired):
        await verb(house, session.id)
    house.wait(6 * MINUTE)
    with pytest.raises(NotFound):
        await verb(house, session.id)
    assert (await house.look(session)).status is SessionStatus.IDLE
    assert (await house.post(session)).run.status is RunStatus.QUEUED


@pytest.mark.parametrize("verb", [*VERBS[:-1], end], ids=lambda each: each.__name__)
async def test_what_is_unknown_somebody_elses_deleted_or_ended_is_not_there(
    house: House, verb: Verb
) -> None:
    with pytest.raises(NotFound):
        await verb(house, SessionId(new_id()))
    session = await house.session(expiry=USUAL)
    for other in (SOMEBODY, ANONYMOUS):
        with pytest.raises(NotFound):
            await verb(replace(house, me=other), session.id)
    ended = await house.session(expiry=USUAL)
    await end(house, ended.id)
    await house.platform.sessions.delete(house.me, session.id)
    for each in (session, ended):
        with pytest.raises(NotFound):
            await verb(house, each.id)


async def test_what_ended_takes_nothing_and_is_read_by_the_others(house: House) -> None:
    session, claim = await house.start()
    behind = (await house.post(session)).run
    later = (await house.post(session, not_before=await house.at(HOUR))).run
    with hearing(house) as heard:
        await house.platform.lifetimes.end(house.me, session.id, reason="enough")
    assert (heard.moved, heard.told) == ([session.id], [claim.run_id])
    after = await house.look(session)
    assert (after.status, after.queue_depth) == (SessionStatus.ENDED, 0)
    for run_id in (behind.id, later.id):
        run = await house.run(run_id)
        assert (run.status, run.cancel and run.cancel.reason) == (RunStatus.CANCELLED, "enough")
    live = await house.run(claim.run_id)
    assert (live.status, live.cancel and live.cancel.reason) == (RunStatus.RUNNING, "enough")
    await house.answer(claim)
    assert (await house.run(claim.run_id)).status is RunStatus.CANCELLED
    assert len(await house.messages(session)) == 3
    for refused in (house.post(session), say(house, session.id)):
        with pytest.raises(SessionEnded):
            await refused


async def test_one_that_expired_can_be_ended_until_it_is_gone(house: House) -> None:
    early, late = await house.session(expiry=USUAL), await house.session(expiry=USUAL)
    house.wait(31 * MINUTE)
    await end(house, early.id)
    assert (await house.look(early)).status is SessionStatus.ENDED
    house.wait(25 * HOUR)
    with pytest.raises(NotFound):
        await end(house, late.id)
    assert (await house.look(late)).status is SessionStatus.IDLE


async def test_ended_by_its_owner_it_is_said_by_whom(house: House) -> None:
    mine = NewSession(agent="echo", user_id="somebody")
    session = await house.platform.sessions.create(house.me, mine)
    run = (await house.post(session)).run
    await house.platform.lifetimes.end(SOMEBODY, session.id)
    cancel = (await house.run(run.id)).cancel
    assert cancel is not None
    assert (cancel.reason, cancel.by) == ("session ended", "somebody")
    [row] = await house.rows(sessions.select().where(sessions.c.id == session.id))
    assert row.ended_at == cancel.requested_at
