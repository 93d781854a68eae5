"""Two verbs on one session, two connections: the second waits at the lock, then decides anew.

Each pair is stepped by hand: the first verb has done everything but commit; the second is seen
waiting for its lock; then the first commits. SQLite has one writer and cannot show any of this.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import pytest
import sqlalchemy as sa

from shared.domain.execution import Claim, Settlement
from shared.domain.message import Reply
from shared.domain.outcome import GivenBack, Outcome, Succeeded
from shared.domain.run import LIVE, Dispatch
from shared.domain.session import Session
from shared.ids import MessageId, RunId, SessionId, WorkerId, new_id
from shared.storage import changes, claims, intake, settling
from shared.storage.schema import runs
from shared.storage.store import Store, Transaction
from tests.platforms import House, a_message, exit_of


@dataclass(kw_only=True)
class Scene:
    """A session whose head is `run_id`; `claim` holds it, or did once."""

    house: House
    session: Session
    worker_id: WorkerId
    claim: Claim
    next_id: RunId  # whom a worker was told of

    @property
    def store(self) -> Store:
        return self.house.store


Verb = Callable[[Scene, Transaction], Awaitable[object]]


async def intake_(scene: Scene, transaction: Transaction) -> object:
    item = intake.Intake(
        principal=scene.house.me,
        new=a_message(SessionId(scene.session.id)),
        message_id=MessageId(new_id()),
        run_id=RunId(new_id()),
        max_queued=9,
    )
    return await intake.accept(scene.store, transaction, [item])


async def _leave(scene: Scene, transaction: Transaction, outcome: Outcome) -> object:
    return await settling.settle(
        scene.store, transaction, [exit_of(scene.claim, outcome)], max_wait_seconds=60
    )


async def settle(scene: Scene, transaction: Transaction) -> object:
    return await _leave(scene, transaction, Succeeded(reply=Reply(content="yes")))


async def give_back(scene: Scene, transaction: Transaction) -> object:
    return await _leave(scene, transaction, GivenBack(lost=True))


async def cancel(scene: Scene, transaction: Transaction) -> object:
    return await changes.cancel(
        scene.store, transaction, scene.house.me, scene.claim.run_id, reason=None
    )


async def claim(scene: Scene, transaction: Transaction) -> object:
    request = claims.Request(scene.worker_id, scene.next_id)
    return await claims.claim(scene.store, transaction, [request])


VERBS: list[Verb] = [intake_, settle, cancel, give_back, claim]


async def running_alone(house: House) -> Scene:
    session, held = await house.start()
    worker_id = await house.worker()
    return Scene(house=house, session=session, worker_id=worker_id, claim=held, next_id=held.run_id)


async def running_before_another(house: House) -> Scene:
    scene = await running_alone(house)
    behind = await house.post(scene.session)
    return replace(scene, next_id=behind.run.id)


async def ready_before_another(house: House) -> Scene:
    scene = await running_before_another(house)
    await house.settle(scene.claim, GivenBack())
    return replace(scene, next_id=scene.claim.run_id)


SCENES = [running_alone, running_before_another, ready_before_another]


@pytest.fixture
def kind() -> str:
    return "postgres"


@pytest.mark.parametrize("scene_", SCENES, ids=lambda each: each.__name__)
@pytest.mark.parametrize("second", VERBS, ids=lambda each: each.__name__)
@pytest.mark.parametrize("first", VERBS, ids=lambda each: each.__name__)
async def test_whoever_comes_second_decides_on_what_the_first_left(
    house: House,
    first: Verb,
    second: Verb,
    scene_: Callable[[House], Awaitable[Scene]],
) -> None:
    scene = await scene_(house)
    async with house.store.transaction() as transaction:
        await first(scene, transaction)
        waiting = asyncio.create_task(_alone(scene, second))
        await house.until_somebody_waits_for_a_lock()
    await waiting
    await _line_is_sound(house, scene.session)


async def _alone(scene: Scene, verb: Verb) -> None:
    async with scene.store.transaction() as transaction:
        await verb(scene, transaction)


async def _line_is_sound(house: House, session: Session) -> None:
    query = sa.select(runs).where(runs.c.session_id == session.id).order_by(runs.c.seq)
    line = [row for row in await house.rows(query) if row.settled_at is None]
    assert sum(row.status in LIVE for row in line) <= 1
    if line:
        head = line[0]
        assert head.status in LIVE or head.dispatch in {Dispatch.READY, Dispatch.SCHEDULED}
    assert all(row.dispatch == Dispatch.BLOCKED for row in line[1:])
    assert await house.findings() == []
    await _drain(house, session)


async def _drain(house: House, session: Session) -> None:
    """Nothing is stranded: one worker can finish whatever is left."""
    worker_id = await house.worker()
    query = sa.select(runs).where(runs.c.session_id == session.id).order_by(runs.c.seq)
    for row in await house.rows(query):
        if row.status == "running":
            held = Settlement(
                run_id=row.id, session_id=session.id, fence=row.fence, outcome=GivenBack()
            )
            assert (await house.platform.execution.settle(held)).accepted
        if row.settled_at is None and row.cancel_requested_at is None:
            await house.answer(await house.claim(worker_id, RunId(row.id)))
    after = await house.look(session)
    assert (after.queue_depth, after.active_run) == (0, None)
