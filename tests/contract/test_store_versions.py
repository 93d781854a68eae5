"""The status body changed => the version changed, whichever verb did it."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from shared.domain.execution import Claim
from shared.domain.lifetime import Wish
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
from shared.domain.requests import Decision
from shared.domain.run import Approval, OnBusy, RunError
from shared.domain.session import Session
from shared.service.announcing import Announcing
from shared.storage.schema import pools
from tests.platforms import House

ERROR = RunError(code="x", message="x")
PAUSED = Paused(approvals=(Approval(call_id="1", tool="pay", arguments=None),))
DAY = 24 * 3600.0

# Yields after each verb: there the most eager poller looks.
Steps = AsyncIterator[None]
Story = Callable[[House, Session], Steps]


async def claimed(house: House, session: Session) -> Claim:
    run_id = (await house.post(session)).run.id
    return await house.claim(await house.worker(), run_id)


async def posts_and_claims(house: House, session: Session) -> Steps:
    first = await house.post(session)
    yield
    await house.post(session)
    yield
    await house.claim(await house.worker(), first.run.id)
    yield


async def cancels(house: House, session: Session) -> Steps:
    running = await claimed(house, session)
    yield
    await house.platform.runs.cancel(house.me, running.run_id, reason=None)
    yield
    queued = await house.post(session)
    yield
    await house.platform.runs.cancel(house.me, queued.run.id, reason=None)
    yield
    await house.settle(running, GivenBack())
    yield
    await house.settle(await claimed(house, session), PAUSED)
    yield
    waiting = await house.look(session)
    assert waiting.active_run is not None
    await house.platform.runs.cancel(house.me, waiting.active_run.id, reason=None)
    yield


async def retries(house: House, session: Session) -> Steps:
    claim = await claimed(house, session)
    yield
    await house.settle(claim, Failed(error=ERROR))
    yield
    await house.platform.runs.retry(house.me, claim.run_id, correlation_id="c")
    yield


async def resumes(house: House, session: Session) -> Steps:
    claim = await claimed(house, session)
    yield
    await house.settle(claim, PAUSED)
    yield
    decisions = (Decision(call_id="1", approved=True),)
    await house.platform.runs.resume(house.me, claim.run_id, decisions)
    yield


async def expires(house: House, session: Session) -> Steps:
    await house.settle(await claimed(house, session), PAUSED)
    yield
    house.wait(DAY + 1)
    await house.platform.upkeep.sweep()
    yield


async def comes_due(house: House, session: Session) -> Steps:
    await house.settle(await claimed(house, session), Retrying(seconds=9, error=ERROR))
    yield
    house.wait(10)
    await house.platform.upkeep.due()
    yield


async def comes_due_for_the_first_time(house: House, session: Session) -> Steps:
    for _ in range(2):
        later = await house.post(session, not_before=await house.at(9))
        yield
    await house.platform.runs.cancel(house.me, later.run.id, reason=None)
    yield
    house.wait(10)
    await house.platform.upkeep.due()
    yield


async def is_late(house: House, session: Session) -> Steps:
    for _ in range(2):
        late = await house.post(session, deadline=await house.at(9))
        yield
    await house.platform.runs.cancel(house.me, late.run.id, reason=None)
    house.wait(10)
    await house.platform.upkeep.due()
    yield
    late = await house.post(session, deadline=await house.at(9))
    house.wait(10)
    await house.platform.execution.claim(await house.worker(), late.run.id)
    yield


async def makes_room(house: House, session: Session) -> Steps:
    await claimed(house, session)
    for policy in (OnBusy.COALESCE, OnBusy.COALESCE, OnBusy.INTERRUPT, OnBusy.ROLLBACK):
        await house.post(session, on_busy=policy)
        yield


async def is_announced(house: House, session: Session) -> Steps:
    run_id = (await house.post(session)).run.id
    source = Announcing(house.store)
    for _ in range(2):
        taken = await source.take("default", 5)
        yield
        await source.mark(taken)
        yield
        await house.platform.execution.hand_back(run_id, seconds=0)
        yield
    house.wait(3600)
    await house.platform.upkeep.sweep()
    yield


async def is_held_back(house: House, session: Session) -> Steps:
    run_id = (await house.post(session)).run.id
    yield
    await house.write(pools.update().values(paused_at=1))
    await house.platform.execution.claim(await house.worker(), run_id)
    yield


async def lives_for_a_while(house: House, session: Session) -> Steps:
    lifetimes = house.platform.lifetimes
    for wish in (Wish(), Wish(timeout_minutes=60)):
        await lifetimes.heartbeat(house.me, session.id)
        yield
        house.wait(60)
        await lifetimes.renew(house.me, session.id)
        yield
        await lifetimes.reschedule(house.me, session.id, wish)
        yield
    for _ in range(2):
        house.wait(3300)
        await house.platform.upkeep.due()
        yield


async def is_ended_while_idle(house: House, session: Session) -> Steps:
    await house.platform.lifetimes.end(house.me, session.id)
    yield


async def is_ended(house: House, session: Session) -> Steps:
    await claimed(house, session)
    await house.post(session)
    yield
    await house.platform.lifetimes.end(house.me, session.id)
    yield


def exits_by(outcome: Outcome) -> Story:
    async def story(house: House, session: Session) -> Steps:
        claim = await claimed(house, session)
        yield
        await house.settle(claim, outcome)
        yield
        await house.settle(claim, outcome)
        yield

    return story


STORIES: list[Story] = [
    posts_and_claims, cancels, retries, resumes, expires, comes_due, comes_due_for_the_first_time,
    is_late, makes_room, is_announced, is_held_back, lives_for_a_while, is_ended,
    is_ended_while_idle,
]  # fmt: skip
EXITS: list[Outcome] = [
    Succeeded(reply=Reply(content="yes")),
    Failed(error=ERROR, partial=Reply(content="so f")),
    Cancelled(),
    Retrying(seconds=1, error=ERROR),
    Deferred(seconds=1, why="x"),
    PAUSED,
    GivenBack(),
    GivenBack(lost=True),
]


def body(session: Session) -> Session:
    """What pollers are told, the version left out."""
    return replace(session, version=0)


@pytest.mark.parametrize(
    "story",
    [*STORIES, *map(exits_by, EXITS)],
    ids=[*(getattr(each, "__name__", "") for each in STORIES), *(repr(each) for each in EXITS)],
)
async def test_the_version_moves_with_the_body(house: House, story: Story) -> None:
    session = await house.session()
    before = session
    async for _ in story(house, session):
        after = await house.look(session)
        moved = after.version > before.version
        assert moved if body(after) != body(before) else after.version >= before.version
        before = after
    assert before.version > session.version
