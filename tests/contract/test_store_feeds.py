"""Reading events: whole at every cut, ended by the last, for who may see them."""

from collections.abc import Awaitable, Callable

import pytest

from shared.domain.errors import ValidationFailed
from shared.domain.event import BEGINNING, Event, OfRun, OfSession, Position, Source
from shared.domain.message import Reply
from shared.domain.outcome import Deferred, Failed, Paused, Retrying, Succeeded
from shared.domain.requests import Decision
from shared.domain.run import Approval, OnBusy, RunError
from shared.domain.session import Session
from shared.ids import RunId
from tests.contract.storyteller import (
    all_of,
    ending,
    feed_of,
    saying,
    story_of,
    texts,
    told,
    types,
)
from tests.platforms import House

ERROR = RunError(code="x", message="no", retryable=True)
YES = Succeeded(reply=Reply(content="yes"))
LATER = Deferred(seconds=3600, why="later")
PAUSED = Paused(approvals=(Approval(call_id="1", tool="pay", arguments=None),))
HOUR = 3600.0


async def perform(house: House, run_id: RunId, *said: str, end: object = YES) -> None:
    claim = await house.claim(await house.worker(), run_id)
    await house.platform.execution.append(saying(claim, *said))
    begun = len(said) + (1 if claim.event_count else 2)
    settlement = ending(claim, end, "!", start=claim.event_count + begun)  # type: ignore[arg-type]
    await house.platform.execution.settle(settlement)


async def a_long_story(house: House) -> tuple[Session, list[RunId]]:
    """Five runs: coalesced, tried again, paused and resumed, cancelled before it began, failed."""
    session = await house.session()
    posted = [await house.post(session, on_busy=OnBusy.COALESCE) for _ in range(2)]
    posted += [await house.post(session) for _ in range(4)]
    first, joined, second, third, fourth, fifth = (each.run.id for each in posted)
    assert joined == first
    await perform(house, first, "one", "two")
    await perform(house, second, "three", end=Retrying(seconds=0, error=ERROR))
    await perform(house, second, "four")
    await perform(house, third, "five", end=PAUSED)
    decided = (Decision(call_id="1", approved=True),)
    await house.platform.runs.resume(house.me, third, decided)
    await perform(house, third, "six")
    await house.platform.runs.cancel(house.me, fourth, reason=None)
    await perform(house, fifth, end=Failed(error=ERROR))
    return session, [first, second, third, fourth, fifth]


async def test_a_session_is_its_started_runs_one_after_the_other(house: House) -> None:
    session, [first, second, third, fourth, fifth] = await a_long_story(house)
    story = await story_of(house, session)
    parts = [await told(house, each) for each in (first, second, third, fifth)]
    assert story == [event for part in parts for event in part]
    assert [event.position for event in story] == sorted({event.position for event in story})
    assert fourth not in {event.run_id for event in story}
    assert texts(story) == [
        "one",
        "two",
        "!",
        "three",
        "!",
        "four",
        "!",
        "five",
        "!",
        "six",
        "!",
        "!",
    ]
    assert types(parts[2]) == [
        "run.started", "attempt.started", "message.delta", "message.delta", "run.waiting",
        "attempt.started", "message.delta", "message.delta", "message.completed", "run.settled",
    ]  # fmt: skip


@pytest.mark.parametrize("limit", [1, 7, 200])
async def test_cut_anywhere_the_rest_is_exact(house: House, limit: int) -> None:
    session, run_ids = await a_long_story(house)
    story = await story_of(house, session)
    for cut, event in enumerate(story, 1):
        assert await story_of(house, session, event.position, limit) == story[cut:]
    for run_id in run_ids:
        whole = await told(house, run_id)
        for cut, event in enumerate(whole, 1):
            rest = await all_of(await feed_of(house, run_id, str(event.position)), limit)
            assert rest == whole[cut:]


async def test_backwards_it_is_the_same_story(house: House) -> None:
    session, run_ids = await a_long_story(house)
    sources: list[Source] = [OfSession(session.id), *map(OfRun, run_ids)]
    for source in sources:
        whole = await all_of(await house.platform.events.open(house.me, source, None))
        read: list[Event] = []
        before: Position | None = None
        while before is not None or not read:
            page, before = await house.platform.events.latest(house.me, source, before, 4)
            read += page
        assert read == whole[::-1]


async def test_a_place_before_a_first_event_is_one(house: House) -> None:
    session, [_, second, *_] = await a_long_story(house)
    story = await story_of(house, session)
    assert await story_of(house, session, BEGINNING) == story
    mine = [event for event in story if event.run_id == second]
    before = Position(mine[0].position.seq, 0)
    assert await story_of(house, session, before) == story[story.index(mine[0]) :]
    assert await told(house, second, str(before)) == mine
    assert await told(house, second, "0-0") == mine


@pytest.mark.parametrize("strange", ["2-999", "1-1", "3-1", "999-1", "999-0"])
async def test_an_id_that_nobody_gave_is_refused(house: House, strange: str) -> None:
    session, [first, *_] = await a_long_story(house)
    with pytest.raises(ValidationFailed):
        await feed_of(house, first, strange)
    with pytest.raises(ValidationFailed):
        await story_of(house, session, Position.parse(strange))


async def test_an_id_of_another_run_is_its_sessions_and_not_the_runs(house: House) -> None:
    session, [first, second, *_] = await a_long_story(house)
    theirs = (await told(house, second))[0].position
    with pytest.raises(ValidationFailed):
        await feed_of(house, first, str(theirs))
    await story_of(house, session, theirs)


@pytest.mark.parametrize("text", ["", "7", "7-", "-1-2", "7-x", "07-1", "7-01", "9" * 19 + "-1"])
def test_what_is_no_id_is_not_read(text: str) -> None:
    with pytest.raises(ValueError, match="expected the id of an event"):
        Position.parse(text)


async def deadline(house: House, _: RunId) -> None:
    house.wait(2 * HOUR)
    await house.platform.upkeep.due()
    await house.platform.upkeep.sweep()


async def cancelled(house: House, run_id: RunId) -> None:
    await house.platform.runs.cancel(house.me, run_id, reason=None)


ENDS: list[tuple[Callable[[House, RunId], Awaitable[None]], str]] = [
    (cancelled, "cancelled"),
    (deadline, "failed"),
]


@pytest.mark.parametrize(("end", "status"), ENDS)
async def test_a_started_run_that_ends_without_a_worker_says_so(
    house: House, end: Callable[[House, RunId], Awaitable[None]], status: str
) -> None:
    session = await house.session()
    run_id = (await house.post(session, deadline=await house.at(HOUR))).run.id
    await perform(house, run_id, "a", end=LATER)
    feed = await feed_of(house, run_id)
    await feed.read()
    await end(house, run_id)
    [last] = await feed.read()
    assert (last.type, last.data["status"]) == ("run.settled", status)
    assert last.position.number == 6
    assert feed.over
    assert (await story_of(house, session))[-1] == last


@pytest.mark.parametrize(("end", "status"), ENDS)
async def test_a_run_that_never_started_ends_with_one_event_of_its_own(
    house: House, end: Callable[[House, RunId], Awaitable[None]], status: str
) -> None:
    session = await house.session()
    accepted = await house.post(session, deadline=await house.at(HOUR))
    feed = await feed_of(house, accepted.run.id)
    assert await feed.read() == ()
    await end(house, accepted.run.id)
    [last] = await feed.read()
    assert str(last.position) == f"{accepted.run.seq}-1"
    assert (last.type, last.data["status"]) == ("run.settled", status)
    assert feed.over
    assert (await feed_of(house, accepted.run.id, str(last.position))).over
    assert await story_of(house, session) == []
    assert await story_of(house, session, last.position) == []


async def test_an_approval_that_nobody_gave_ends_the_story(house: House) -> None:
    _, claim = await house.start()
    await house.platform.execution.settle(ending(claim, PAUSED))
    house.wait(25 * HOUR)
    await house.platform.upkeep.sweep()
    last = (await told(house, claim.run_id))[-1]
    assert last.data["error"] == {
        "code": "approval_expired", "message": "Nobody decided in time.", "retryable": False,
    }  # fmt: skip


async def test_a_cancel_that_came_first_ends_what_succeeded(house: House) -> None:
    _, claim = await house.start()
    await cancelled(house, claim.run_id)
    await house.platform.execution.settle(ending(claim, YES, "yes"))
    *_, completed, last = await told(house, claim.run_id)
    assert completed.message is not None
    assert completed.message.interrupted
    assert last.data == {"status": "cancelled", "error": None}
