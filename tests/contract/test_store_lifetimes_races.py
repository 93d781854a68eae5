"""Two verbs on one session that lives for a while, two connections: nobody is believed too long.

Each pair is stepped by hand: the first verb has done everything but commit; the second is seen
waiting for its lock, or passes by; then the first commits.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

import pytest
import pytest_asyncio
import sqlalchemy as sa

from shared.domain.errors import InturnError, NotFound, SessionEnded, SessionExpired
from shared.domain.lifetime import Expiry
from shared.domain.living import Visibility
from shared.domain.run import RunStatus
from shared.domain.session import Session, SessionStatus
from shared.ids import MessageId, RunId, WorkerId, new_id
from shared.storage import claims, ending, expiry, intake, renewals
from shared.storage.schema import runs
from shared.storage.store import Transaction
from tests.contract.living import MINUTE, USUAL
from tests.platforms import House, a_message

SEEN = Visibility()


@dataclass(kw_only=True)
class Scene:
    """A session with one queued run; its end is `minutes` away."""

    house: House
    session: Session
    worker_id: WorkerId
    run_id: RunId


Verb = Callable[[Scene, Transaction], Awaitable[object]]


async def say(scene: Scene, transaction: Transaction) -> object:
    item = intake.Intake(
        principal=scene.house.me,
        new=a_message(scene.session.id, in_time=True),
        message_id=MessageId(new_id()),
        run_id=RunId(new_id()),
        max_queued=9,
    )
    [taken] = await intake.accept(scene.house.store, transaction, [item])
    if isinstance(taken, InturnError):
        raise taken
    return taken


async def renew(scene: Scene, transaction: Transaction) -> object:
    house = scene.house
    return await renewals.renew(house.store, transaction, house.me, scene.session.id, SEEN)


async def heartbeat(scene: Scene, transaction: Transaction) -> object:
    house = scene.house
    return await renewals.heartbeat(house.store, transaction, house.me, scene.session.id, SEEN)


async def reschedule(scene: Scene, transaction: Transaction) -> object:
    def policy(present: Expiry | None) -> Expiry:
        assert present is not None
        return present

    house = scene.house
    return await renewals.reschedule(
        house.store, transaction, house.me, scene.session.id, SEEN, policy
    )


async def end(scene: Scene, transaction: Transaction) -> object:
    house = scene.house
    return await ending.end(
        house.store, transaction, house.me, scene.session.id, SEEN, reason="enough"
    )


async def clear(scene: Scene, transaction: Transaction) -> object:
    return await ending.end_all(
        scene.house.store, transaction, [scene.session.id], reason="server_shutdown"
    )


async def claim(scene: Scene, transaction: Transaction) -> object:
    request = claims.Request(scene.worker_id, scene.run_id)
    return await claims.claim(scene.house.store, transaction, [request])


async def warn(scene: Scene, transaction: Transaction) -> object:
    return await expiry.warn(scene.house.store, transaction)


async def expire(scene: Scene, transaction: Transaction) -> object:
    return await expiry.expire(scene.house.store, transaction)


@pytest.fixture
def kind() -> str:
    return "postgres"


@pytest_asyncio.fixture(loop_scope="session")
async def scene(house: House) -> Scene:
    session = await house.session(expiry=USUAL, origin="elizaos")
    run_id = (await house.post(session)).run.id
    return Scene(house=house, session=session, worker_id=await house.worker(), run_id=run_id)


async def alone(scene: Scene, verb: Verb) -> None:
    async with scene.house.store.transaction() as transaction:
        await verb(scene, transaction)


async def one_after_another(scene: Scene, first: Verb, second: Verb, wait: float = 0) -> None:
    """The second is begun before the first commits; meanwhile so many seconds pass."""
    async with scene.house.store.transaction() as transaction:
        await first(scene, transaction)
        waiting = asyncio.create_task(alone(scene, second))
        await scene.house.until_somebody_waits_for_a_lock()
        scene.house.wait(wait)
    await waiting


CHANGES: list[Verb] = [say, renew, heartbeat, reschedule]
ENDS: list[Verb] = [end, clear]


def named(verb: Verb) -> str:
    return getattr(verb, "__name__", "")


@pytest.mark.parametrize("sweep", [warn, expire], ids=named)
@pytest.mark.parametrize("change", [say, renew, heartbeat], ids=named)
async def test_who_is_being_renewed_is_passed_by(scene: Scene, change: Verb, sweep: Verb) -> None:
    house = scene.house
    house.wait(27 * MINUTE)
    async with house.store.transaction() as transaction:
        await change(scene, transaction)
        house.wait(4 * MINUTE)  # by the old end
        await alone(scene, sweep)
    await alone(scene, sweep)
    lifetime = (await house.look(scene.session)).lifetime
    assert lifetime is not None
    assert (lifetime.warned_at, lifetime.expired_at) == (None, None)
    assert lifetime.renewal_count == 2  # the scene's own message was the first


@pytest.mark.parametrize("change", CHANGES, ids=named)
async def test_who_was_just_marked_is_not_renewed(scene: Scene, change: Verb) -> None:
    scene.house.wait(31 * MINUTE)
    before = await scene.house.look(scene.session)
    with pytest.raises(SessionExpired):
        await one_after_another(scene, expire, change)
    after = await scene.house.look(scene.session)
    assert (after.expires_at, after.renewal_count) == (before.expires_at, 1)


@pytest.mark.parametrize("change", CHANGES, ids=named)
async def test_time_goes_on_while_one_waits(scene: Scene, change: Verb) -> None:
    scene.house.wait(29 * MINUTE)
    with pytest.raises(SessionExpired):
        await one_after_another(scene, claim, change, wait=2 * MINUTE)


@pytest.mark.parametrize("change", CHANGES, ids=named)
async def test_a_warning_is_taken_back_by_who_waited_for_it(scene: Scene, change: Verb) -> None:
    scene.house.wait(27 * MINUTE)
    await one_after_another(scene, warn, change)
    lifetime = (await scene.house.look(scene.session)).lifetime
    assert lifetime is not None
    assert lifetime.warned_at is None
    assert lifetime.warn_at is not None


@pytest.mark.parametrize("first", ENDS, ids=named)
@pytest.mark.parametrize("change", [*CHANGES, end], ids=named)
async def test_what_ended_meanwhile_takes_nothing(scene: Scene, first: Verb, change: Verb) -> None:
    with pytest.raises(SessionEnded if change is say else NotFound):
        await one_after_another(scene, first, change)
    await ended_and_empty(scene)


@pytest.mark.parametrize("second", ENDS, ids=named)
@pytest.mark.parametrize("change", CHANGES, ids=named)
async def test_what_came_before_the_end_ends_with_it(
    scene: Scene, second: Verb, change: Verb
) -> None:
    await one_after_another(scene, change, second)
    await ended_and_empty(scene)


@pytest.mark.parametrize("last", ENDS, ids=named)
async def test_a_run_is_claimed_or_cancelled_and_never_both(scene: Scene, last: Verb) -> None:
    await one_after_another(scene, claim, last)
    run = await scene.house.run(scene.run_id)
    assert (run.status, run.cancel is not None) == (RunStatus.RUNNING, True)


@pytest.mark.parametrize("first", ENDS, ids=named)
async def test_what_was_cancelled_is_claimed_by_nobody(scene: Scene, first: Verb) -> None:
    await one_after_another(scene, first, claim)
    await ended_and_empty(scene)


@pytest.mark.parametrize(
    ("first", "second", "reason"), [(clear, end, "server_shutdown"), (end, clear, "enough")]
)
async def test_of_two_that_end_it_one_did(
    scene: Scene, first: Verb, second: Verb, reason: str
) -> None:
    with suppress(NotFound):
        await one_after_another(scene, first, second)
    cancel = (await scene.house.run(scene.run_id)).cancel
    assert cancel is not None
    assert cancel.reason == reason
    assert (await scene.house.look(scene.session)).ended_at == cancel.requested_at


async def ended_and_empty(scene: Scene) -> None:
    house = scene.house
    session = await house.look(scene.session)
    assert (session.status, session.queue_depth) == (SessionStatus.ENDED, 0)
    query = sa.select(runs.c.status).where(runs.c.session_id == session.id)
    assert {row.status for row in await house.rows(query)} == {RunStatus.CANCELLED}
