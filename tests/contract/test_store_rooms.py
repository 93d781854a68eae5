"""Who follows a session is told what happens in it from now on, each thing once."""

import asyncio
from collections.abc import Collection
from contextlib import aclosing

import pytest

from shared.domain.errors import NotFound, Unavailable
from shared.domain.lifetime import Expiry
from shared.domain.message import Reply
from shared.domain.outcome import Cancelled, Deferred, Failed, Retrying, Succeeded
from shared.domain.run import RunError
from shared.domain.sighting import (
    Broken,
    Expired,
    Gone,
    Piece,
    Posted,
    Renewed,
    Warned,
)
from shared.ids import SessionId
from shared.signals import Position, VersionPoller
from shared.storage import following
from shared.storage.sessions import positions
from tests.contract.ear import listening, said
from tests.contract.storyteller import ending, saying
from tests.platforms import House

YES = Succeeded(reply=Reply(content="yes"))
OOPS = RunError(code="agent_error", message="oops")
HALF_AN_HOUR = Expiry(timeout_minutes=30, warning_threshold_minutes=5)
MINUTE = 60.0


async def test_from_the_moment_of_joining_everything_is_told_once(house: House) -> None:
    session, claim = await house.start("before")
    async with listening(house, session) as ear:
        await house.post(session, "after")
        assert said(await ear.hear()) == ["after"]
        await house.platform.execution.append(saying(claim, "y", "e"))
        assert said(await ear.hear()) == ["<y>", "<e>"]
        await house.platform.execution.settle(ending(claim, YES, "s", start=4))
        assert said(await ear.hear()) == ["<s>", "yes"]
    [last] = [each for each in ear.heard if isinstance(each, Posted)][1:]
    assert last.message.run_id == claim.run_id


async def test_several_who_follow_hear_the_same(house: House) -> None:
    session, claim = await house.start()
    async with listening(house, session) as ear:
        room = await house.platform.rooms.open(session.id)
        async with aclosing(room.follow()) as other:
            await house.platform.execution.settle(ending(claim, YES, "yes"))
            assert await ear.hear() == list(await anext(other))


async def test_who_joins_while_a_run_speaks_hears_the_rest(house: House) -> None:
    session, claim = await house.start()
    await house.platform.execution.append(saying(claim, "un"))
    async with listening(house, session) as ear:
        await house.platform.execution.append(saying(claim, "heard", start=3))
        assert said(await ear.hear()) == ["<heard>"]


async def test_another_attempt_voids_what_the_first_has_streamed(house: House) -> None:
    session, claim = await house.start()
    async with listening(house, session) as ear:
        await house.platform.execution.append(saying(claim, "no"))
        [piece] = await ear.hear()
        await house.platform.execution.settle(
            ending(claim, Retrying(error=OOPS, seconds=0), start=3)
        )
        [broken] = await ear.hear()
        assert isinstance(piece, Piece)
        assert isinstance(broken, Broken)
        assert broken.message_id == piece.message_id
        await house.platform.upkeep.due()
        again = await house.claim(await house.worker(), claim.run_id)
        await house.platform.execution.settle(ending(again, YES, "yes"))
        assert said(await ear.hear()) == ["<yes>", "yes"]


async def test_what_was_said_before_a_run_was_put_off_counts_no_more(house: House) -> None:
    session, claim = await house.start()
    async with listening(house, session) as ear:
        await house.platform.execution.append(saying(claim, "hm"))
        await house.platform.execution.settle(
            ending(claim, Deferred(seconds=0, why="busy"), start=3)
        )
        await house.platform.upkeep.due()
        again = await house.claim(await house.worker(), claim.run_id)
        await house.platform.execution.append(saying(again))
        while len(ear.heard) < 2:
            await ear.hear()
    assert said(ear.heard) == [
        "<hm>",
        "! This attempt has ended without an answer; another follows.",
    ]


async def test_a_failure_is_told_with_the_text_that_stays(house: House) -> None:
    session, claim = await house.start()
    async with listening(house, session) as ear:
        partial = Failed(error=OOPS, partial=Reply(content="so far"))
        await house.platform.execution.settle(ending(claim, partial, "so far"))
        assert said(await ear.hear()) == ["<so far>", "so far", "! oops (so far)"]
        posted, broken = ear.heard[1:]
        assert isinstance(posted, Posted)
        assert isinstance(broken, Broken)
        assert broken.message_id == posted.message.id


async def test_a_failure_that_said_nothing_is_told_by_its_run(house: House) -> None:
    session, claim = await house.start()
    async with listening(house, session) as ear:
        await house.settle(claim, Failed(error=OOPS))
        assert await ear.hear() == [Broken(message_id=claim.run_id, error="oops")]


async def test_a_cancelled_run_leaves_its_text_and_no_error(house: House) -> None:
    session, claim = await house.start()
    async with listening(house, session) as ear:
        await house.platform.execution.append(saying(claim, "half"))
        assert said(await ear.hear()) == ["<half>"]
        await house.platform.runs.cancel(house.me, claim.run_id, reason=None)
        cancelled = Cancelled(partial=Reply(content="half"))
        await house.platform.execution.settle(ending(claim, cancelled, start=3))
        assert said(await ear.hear()) == ["half"]


async def test_a_run_that_never_started_fails_aloud_and_once(house: House) -> None:
    session, claim = await house.start()
    deadline = await house.at(MINUTE)
    async with listening(house, session) as ear:
        late = await house.post(session, "in time?", deadline=deadline)
        assert said(await ear.hear()) == ["in time?"]
        house.wait(2 * MINUTE)
        await house.platform.upkeep.due()
        [broken] = await ear.hear()
        assert isinstance(broken, Broken)
        assert broken.message_id == late.run.id
        await house.answer(claim)
        assert said(await ear.hear()) == ["yes"]
    async with listening(house, session) as ear:
        await house.post(session, "later")
        assert said(await ear.hear()) == ["later"]


async def test_a_long_backlog_is_told_in_order(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after an outage of the database: pages of three events and two messages."""
    monkeypatch.setattr(following, "_MOST_EVENTS", 3)
    session, claim = await house.start()
    async with listening(house, session) as ear:
        await house.platform.execution.settle(ending(claim, YES, *"yes, indeed"))
        going_on = await house.post(session, "really?")
        other = await house.claim(await house.worker(), going_on.run.id)
        await house.platform.execution.settle(ending(other, YES, *"yes"))
        while said(ear.heard).count("yes") < 2:
            await ear.hear()
    told = said(ear.heard)
    assert [each for each in told if each[0] == "<"] == [f"<{c}>" for c in "yes, indeedyes"]
    assert [each for each in told if each[0] != "<"] == ["yes", "really?", "yes"]


async def test_a_lifetime_is_told_as_it_changes(house: House) -> None:
    session = await house.session(expiry=HALF_AN_HOUR)
    async with listening(house, session) as ear:
        house.wait(26 * MINUTE)
        await house.platform.upkeep.sweep()
        [warned] = await ear.hear()
        assert isinstance(warned, Warned)
        renewed = await house.platform.lifetimes.renew(house.me, session.id)
        assert await ear.hear() == [
            Renewed(expires_at=renewed.lifetime.expires_at, renewal_count=1)
        ]
        house.wait(29 * MINUTE)
        await house.platform.upkeep.sweep()
        assert said(await ear.hear()) == ["Warned"]
        house.wait(2 * MINUTE)
        await house.platform.upkeep.sweep()
        assert await ear.hear() == [Expired(expires_at=renewed.lifetime.expires_at)]
        await house.post(session, "another contract goes on")
        assert said(await ear.hear()) == ["another contract goes on"]


async def test_a_session_that_ends_or_is_deleted_is_gone(house: House) -> None:
    ended, deleted = await house.session(), await house.session()
    async with listening(house, ended) as ear:
        await house.platform.lifetimes.end(house.me, ended.id)
        assert await ear.hear() == [Gone()]
        with pytest.raises(StopAsyncIteration):
            await ear.hear()
    async with listening(house, deleted) as ear:
        await house.platform.sessions.delete(house.me, deleted.id)
        assert await ear.hear() == [Gone()]
    for gone in (ended, deleted):
        with pytest.raises(NotFound):
            await house.platform.rooms.open(gone.id)


async def test_without_signals_the_poller_wakes(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(house.platform.signals, "moved", lambda _: None)
    monkeypatch.setattr(house.platform.signals, "spoke", lambda _: None)

    async def positions_of(ids: Collection[SessionId]) -> dict[SessionId, Position]:
        async with house.store.reading() as reading:
            return await positions(reading, ids)

    poller = VersionPoller(house.platform.signals, positions_of)
    session, claim = await house.start()
    async with listening(house, session) as ear:
        for text in "ab":
            start = None if text == "a" else 3
            await house.platform.execution.append(saying(claim, text, start=start))
            hearing = asyncio.ensure_future(ear.hear())
            while not hearing.done():
                await asyncio.sleep(0)
                await poller.poll()
            assert said(await hearing) == [f"<{text}>"]


async def test_a_database_that_is_away_is_waited_for(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await house.session()
    look, failures = following.look, iter([Unavailable("away"), Unavailable("away")])

    async def fail_first(*args: object) -> object:
        for failure in failures:
            raise failure
        return await look(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(following, "look", fail_first)
    monkeypatch.setattr("shared.service.rooms._AWAY_SECONDS", 0)
    async with listening(house, session) as ear:
        await house.post(session, "back")
        assert said(await ear.hear()) == ["back"]
