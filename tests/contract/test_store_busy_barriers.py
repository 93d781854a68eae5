"""Policies and instants against the other verbs, on two connections, stepped by hand.

As in the barriers of the line: the second verb is seen waiting for the first one's lock. The
line is [head, late, open to others], and beside it is a run that is due; or it is one run that
is open to others, and about to be claimed.
"""

import asyncio
import itertools
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from shared.domain.errors import InturnError
from shared.domain.outcome import GivenBack, Paused
from shared.domain.requests import Accepted, Decision
from shared.domain.run import Approval, Dispatch, OnBusy
from shared.ids import MessageId, RunId, SessionId, new_id
from shared.storage import changes, instants, intake
from shared.storage.schema import run_inputs, runs
from shared.storage.store import Transaction
from tests.contract.test_store_barriers import (
    Scene,
    Verb,
    _line_is_sound,
    cancel,
    claim,
    give_back,
    settle,
)
from tests.platforms import House, a_message

PAUSED = Paused(approvals=(Approval(call_id="1", tool="pay", arguments=None),))
HOUR = 3600.0


def posts(on_busy: OnBusy) -> Verb:
    async def post(scene: Scene, transaction: Transaction) -> object:
        item = intake.Intake(
            principal=scene.house.me,
            new=a_message(SessionId(scene.session.id), on_busy=on_busy),
            message_id=MessageId(new_id()),
            run_id=RunId(new_id()),
            max_queued=9,
        )
        return (await intake.accept(scene.store, transaction, [item]))[0]

    post.__name__ = on_busy
    return post


async def release(scene: Scene, transaction: Transaction) -> object:
    return await instants.release(scene.store, transaction)


async def end_late(scene: Scene, transaction: Transaction) -> object:
    return await instants.end_late(scene.store, transaction)


async def resume(scene: Scene, transaction: Transaction) -> object:
    decisions = (Decision(call_id="1", approved=True),)
    me, run_id = scene.house.me, scene.claim.run_id
    await changes.resume(scene.store, transaction, me, run_id, decisions)
    return None


COALESCE = posts(OnBusy.COALESCE)
NEW = [posts(OnBusy.INTERRUPT), COALESCE, release, end_late]
# With the state in which each finds the head.
OLD: list[tuple[Verb, str]] = [
    (settle, "running"), (cancel, "running"), (give_back, "running"), (cancel, "waiting"),
    (resume, "waiting"), (claim, "ready"), (cancel, "ready"),
]  # fmt: skip
PAIRS = [(first, second, "running") for first, second in itertools.product(NEW, NEW)]
for new, (old, state) in itertools.product(NEW, OLD):
    PAIRS += [(new, old, state), (old, new, state)]
PAIRS += [(COALESCE, claim, "open"), (claim, COALESCE, "open")]
PAIRS += [(COALESCE, cancel, "open"), (cancel, COALESCE, "open")]


async def a_scene(house: House, state: str) -> Scene:
    session, held = await house.start()
    if state == "open":
        await house.answer(held)
        head = await house.post(session, on_busy=OnBusy.COALESCE)
        held = replace(held, run_id=head.run.id)
    else:
        await house.post(session, deadline=await house.at(HOUR))
        await house.post(session, on_busy=OnBusy.COALESCE)
        await house.post(session, not_before=await house.at(HOUR))
    if state in {"waiting", "ready"}:
        await house.settle(held, PAUSED if state == "waiting" else GivenBack())
    house.wait(HOUR)
    worker_id = await house.worker()
    return Scene(house=house, session=session, worker_id=worker_id, claim=held, next_id=held.run_id)


@pytest.fixture
def kind() -> str:
    return "postgres"


@pytest.mark.parametrize(
    ("first", "second", "state"),
    PAIRS,
    ids=lambda each: getattr(each, "__name__", each),
)
async def test_whoever_comes_second_decides_on_what_the_first_left(
    house: House, first: Verb, second: Verb, state: str
) -> None:
    scene = await a_scene(house, state)
    before = await inputs(house)
    async with house.store.transaction() as transaction:
        answers = [await first(scene, transaction)]
        waiting = asyncio.create_task(_alone(scene, second))
        await house.until_somebody_waits_for_a_lock()
    answers.append(await waiting)
    accepted = [answer for answer in answers if isinstance(answer, Accepted)]
    await each_came_before_its_run_began(house, accepted)
    await nobody_is_stranded(scene)
    await what_was_told_is_true(house, accepted)
    assert len(await inputs(house)) == len(before) + len(accepted)


async def _alone(scene: Scene, verb: Verb) -> object:
    with suppress(InturnError):  # it may have come too late
        async with scene.store.transaction() as transaction:
            return await verb(scene, transaction)
    return None


async def each_came_before_its_run_began(house: House, accepted: list[Accepted]) -> None:
    for each in accepted:
        run = await house.run(each.run.id)
        for began in (run.claimed_at, run.settled_at):
            assert began is None or began > each.message.created_at


async def nobody_is_stranded(scene: Scene) -> None:
    house = scene.house
    query = sa.select(runs).where(runs.c.settled_at.is_(None), runs.c.seq.is_not(None))
    line = await house.rows(query.order_by(runs.c.seq))
    assert not line or line[0].dispatch != Dispatch.BLOCKED
    await house.platform.upkeep.due()
    await _line_is_sound(house, scene.session)


async def what_was_told_is_true(house: House, accepted: list[Accepted]) -> None:
    for each in accepted:
        statuses = [(await house.run(run_id)).status for run_id in each.cancelled_runs]
        assert set(statuses) <= {"cancelled"}
        assert each.message.id in (await house.run(each.run.id)).message_ids
    late = await house.rows(sa.select(runs).where(runs.c.deadline_at.is_not(None)))
    assert all((row.attempt, row.status in {"failed", "cancelled"}) == (0, True) for row in late)


async def inputs(house: House) -> set[Any]:
    return {row.message_id for row in await house.rows(sa.select(run_inputs))}
