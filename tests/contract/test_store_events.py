"""What runs say is stored under the fence, in order, once; every exit says how it ended."""

from dataclasses import replace

import pytest
import sqlalchemy as sa

from shared.domain.event import EventType
from shared.domain.jsontypes import JsonObject
from shared.domain.message import Reply
from shared.domain.outcome import (
    Cancelled,
    Deferred,
    Failed,
    GivenBack,
    Outcome,
    Paused,
    Retrying,
    Succeeded,
)
from shared.domain.run import Approval, RunError
from shared.ids import MessageId, RunId, new_id
from shared.storage import events
from shared.storage.schema import run_events, runs
from tests.contract.storyteller import (
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
ERROR_DATA: JsonObject = {"code": "x", "message": "no", "retryable": True}
BEGIN = ["run.started", "attempt.started"]
YES = Succeeded(reply=Reply(content="yes"))
PAUSED = Paused(approvals=(Approval(call_id="1", tool="pay", arguments=None),))

ENDINGS: list[tuple[Outcome, list[str], JsonObject]] = [
    (YES, ["message.completed", "run.settled"], {"status": "succeeded", "error": None}),
    (
        Failed(error=ERROR, partial=Reply(content="so f")),
        ["attempt.failed", "message.completed", "run.settled"],
        {"status": "failed", "error": ERROR_DATA},
    ),
    (Cancelled(), ["run.settled"], {"status": "cancelled", "error": None}),
    (
        Cancelled(partial=Reply(content="so f")),
        ["message.completed", "run.settled"],
        {"status": "cancelled", "error": None},
    ),
    (Deferred(seconds=9, why="later"), ["run.waiting"], {"cause": "deferred"}),
    (PAUSED, ["run.waiting"], {"cause": "approval"}),
]


@pytest.mark.parametrize(("outcome", "last", "data"), ENDINGS)
async def test_an_exit_says_how_it_ended(
    house: House, outcome: Outcome, last: list[str], data: JsonObject
) -> None:
    session, claim = await house.start()
    await house.platform.execution.settle(ending(claim, outcome, "so ", "far"))
    said = await told(house, claim.run_id)
    assert types(said) == [*BEGIN, "message.delta", "message.delta", *last]
    assert said[-1].data == data
    assert [str(event.position) for event in said] == [f"2-{n}" for n in range(1, len(said) + 1)]
    assert await story_of(house, session) == said
    for event in said:
        assert (event.run_id, event.session_id) == (claim.run_id, session.id)
        assert event.correlation_id == "test"
    completed = [event.message for event in said if event.type == "message.completed"]
    run = await house.run(claim.run_id)
    assert completed == ([] if run.output is None else [run.output])


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (Retrying(seconds=9, error=ERROR), "x"),
        (GivenBack(), "given_back"),
        (GivenBack(lost=True), "worker_lost"),
    ],
)
async def test_an_attempt_that_is_tried_again_says_when(
    house: House, outcome: Outcome, code: str
) -> None:
    _, claim = await house.start()
    await house.platform.execution.settle(ending(claim, outcome, "void"))
    *_, failed = await told(house, claim.run_id)
    run = await house.run(claim.run_id)
    assert failed.type is EventType.ATTEMPT_FAILED
    error = failed.data["error"]
    assert isinstance(error, dict)
    assert (failed.data["attempt"], error["code"]) == (1, code)
    due = run.waiting_for.until if run.waiting_for else None
    assert failed.data["retry_at"] == (due or failed.at)


async def test_a_failure_for_good_has_no_other_attempt_coming(house: House) -> None:
    _, claim = await house.start()
    await house.platform.execution.settle(ending(claim, Failed(error=ERROR)))
    failed = (await told(house, claim.run_id))[2]
    assert failed.data == {"attempt": 1, "error": ERROR_DATA, "retry_at": None}


@pytest.mark.parametrize("heard", [True, False])
async def test_a_worker_that_is_lost_leaves_a_whole_story(house: House, heard: bool) -> None:
    """Whoever gives its run back knows nothing of what it said."""
    _, claim = await house.start()
    if heard:
        await house.platform.execution.append(saying(claim, "so"))
    await house.settle(claim, GivenBack(lost=True))
    again = await house.claim(await house.worker(), claim.run_id)
    await house.settle(again, GivenBack(lost=True))
    last = await house.claim(await house.worker(), claim.run_id)
    await house.platform.execution.settle(ending(last, YES))
    said = await told(house, claim.run_id)
    assert types(said) == [
        *BEGIN, *(["message.delta"] * heard), "attempt.failed",
        "attempt.started", "attempt.failed",
        "attempt.started", "message.completed", "run.settled",
    ]  # fmt: skip
    assert [event.position.number for event in said] == list(range(1, len(said) + 1))


async def test_numbers_go_on_over_attempts(house: House) -> None:
    _, claim = await house.start()
    execution = house.platform.execution
    assert await execution.append(saying(claim, "a", "b"))
    assert await execution.append(saying(claim, "c", start=4))
    await execution.settle(ending(claim, Retrying(seconds=0, error=ERROR), "d", start=5))
    second = await house.claim(await house.worker(), claim.run_id)
    assert second.event_count == 7
    await execution.settle(ending(second, YES, "e"))
    said = await told(house, claim.run_id)
    assert types(said) == [
        *BEGIN, *["message.delta"] * 4, "attempt.failed",
        "attempt.started", "message.delta", "message.completed", "run.settled",
    ]  # fmt: skip
    assert [event.position.number for event in said] == list(range(1, 12))
    assert texts(said) == ["a", "b", "c", "d", "e"]
    assert [said[n].data["attempt"] for n in (1, 6, 7)] == [1, 1, 2]
    [row] = await house.rows(sa.select(runs.c.event_count).where(runs.c.id == claim.run_id))
    assert row.event_count == 11


async def test_what_is_told_twice_is_stored_once(house: House) -> None:
    """The answer of an append was lost: the same batch comes again, or with the settle."""
    _, claim = await house.start()
    execution = house.platform.execution
    first, second = saying(claim, "a", "b"), saying(claim, "c", start=4)
    for each in (first, first, second, first, second):
        assert await execution.append(each)
    async with house.store.transaction() as transaction:
        assert await events.append(transaction, [second, second]) == [True, True]
    assert texts(await told(house, claim.run_id)) == ["a", "b", "c"]
    ended = ending(claim, YES)
    assert ended.said is not None
    everything = first.said.events + second.said.events + saying(claim, "d", start=5).said.events
    settlement = replace(ended, said=replace(ended.said, events=everything))
    for _ in range(2):
        assert (await execution.settle(settlement)).accepted
    said = await told(house, claim.run_id)
    assert texts(said) == ["a", "b", "c", "d"]
    assert types(said)[-2:] == ["message.completed", "run.settled"]


async def test_a_stale_fence_says_nothing(house: House) -> None:
    session, stale = await house.start()
    execution = house.platform.execution
    await house.settle(stale, GivenBack())
    before = await told(house, stale.run_id)
    assert not await execution.append(saying(stale, "late"))
    current = await house.claim(await house.worker(), stale.run_id)
    assert not await execution.append(saying(stale, "late"))
    assert not await execution.append(saying(replace(current, fence=current.fence + 1), "early"))
    assert not await execution.append(saying(replace(current, run_id=RunId(session.id)), "nobody"))
    assert not (await execution.settle(ending(stale, YES, "late"))).accepted
    assert await told(house, stale.run_id) == before
    assert await execution.append(saying(current, "now"))
    await execution.settle(ending(current, YES, start=6))
    assert not await execution.append(saying(current, "after the end", start=8))
    assert texts(await told(house, stale.run_id)) == ["now"]


async def test_who_reads_sees_the_first_token_before_the_end(house: House) -> None:
    session, claim = await house.start()
    first = replace(saying(claim, "a"), first_token_at=claim.claimed_at)
    later = replace(saying(claim, "b", start=3), first_token_at=await house.at(9.0))
    before = await house.look(session)
    await house.platform.execution.append(first)
    await house.platform.execution.append(later)
    assert (await house.run(claim.run_id)).first_token_at == claim.claimed_at
    assert await house.look(session) == before
    await house.answer(claim)
    assert (await house.run(claim.run_id)).first_token_at == claim.claimed_at


async def test_deltas_name_the_message_that_will_be_there(house: House) -> None:
    _, claim = await house.start()
    output_id = MessageId(new_id())
    await house.platform.execution.settle(replace(ending(claim, YES), output_id=output_id))
    run = await house.run(claim.run_id)
    assert run.output is not None
    assert run.output.id == output_id


async def test_the_whole_text_is_stored_once(house: House) -> None:
    _, claim = await house.start()
    text = "an answer of some length"
    await house.platform.execution.settle(ending(claim, Succeeded(reply=Reply(content=text))))
    query = sa.select(run_events.c.data).where(run_events.c.run_id == claim.run_id)
    assert text not in str(await house.rows(query))
    completed = (await told(house, claim.run_id))[-2]
    assert completed.message is not None
    assert completed.message.content == text


async def test_a_run_that_goes_on_is_not_over(house: House) -> None:
    _, claim = await house.start()
    feed = await feed_of(house, claim.run_id)
    assert await feed.read() == ()
    assert not feed.over
    await house.platform.execution.append(saying(claim, "a"))
    assert len(await feed.read()) == 3
    assert not feed.over
    await house.platform.execution.settle(ending(claim, YES, start=3))
    assert types(list(await feed.read(1))) == ["message.completed"]
    assert not feed.over
    assert types(list(await feed.read(1))) == ["run.settled"]
    assert feed.over
    assert (await feed_of(house, claim.run_id, str(feed.position))).over
