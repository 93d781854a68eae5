"""The claim: the row is taken, never the announcement."""

import asyncio
import itertools

from shared.domain.execution import Claim, NewWorker, Refusal
from shared.domain.outcome import GivenBack, Retrying
from shared.domain.run import RunError, RunStatus
from shared.domain.session import SessionStatus
from shared.ids import RunId, WorkerId, new_id
from shared.storage.schema import pools, runs, workers
from tests.contract.conftest import Open
from tests.platforms import House

LOST = GivenBack(lost=True)


async def test_a_claim_starts_an_attempt_and_the_poller_sees_it(house: House) -> None:
    session = await house.session()
    accepted = await house.post(session)
    claim = await house.claim(await house.worker(), accepted.run.id)
    assert (claim.attempt, claim.fence, claim.losses) == (1, 1, 0)
    assert (claim.session_id, claim.correlation_id) == (session.id, "test")
    run, after = await house.run(accepted.run.id), await house.look(session)
    assert (run.status, run.attempt, run.claimed_at) == (RunStatus.RUNNING, 1, claim.claimed_at)
    assert (after.status, after.queue_depth) == (SessionStatus.RUNNING, 0)
    assert after.active_run is not None
    assert after.active_run.id == run.id


async def test_only_the_head_can_be_claimed(house: House) -> None:
    session = await house.session()
    first, second = await house.post(session), await house.post(session)
    worker = await house.worker()
    claim = house.platform.execution.claim
    assert await claim(worker, second.run.id) is Refusal.NOT_CLAIMABLE
    held = await house.claim(worker, first.run.id)
    assert await claim(worker, second.run.id) is Refusal.NOT_CLAIMABLE
    await house.answer(held)
    assert isinstance(await claim(worker, second.run.id), Claim)
    assert await claim(worker, first.run.id) is Refusal.NOT_CLAIMABLE
    assert await claim(worker, RunId(new_id())) is Refusal.NOT_CLAIMABLE


async def test_a_row_that_is_ready_out_of_turn_is_not_claimed(house: House) -> None:
    session = await house.session()
    first, second = await house.post(session), await house.post(session)
    row = runs.update().where(runs.c.id == second.run.id)
    await house.write(row.values(dispatch="ready"))
    worker = await house.worker()
    refused = await house.platform.execution.claim(worker, second.run.id)
    assert refused is Refusal.NOT_CLAIMABLE
    await house.write(row.values(dispatch="blocked"))
    await house.answer(await house.claim(worker, first.run.id))
    await house.claim(worker, second.run.id)


async def test_of_many_workers_one_gets_the_run(house: House) -> None:
    accepted = await house.post(await house.session())
    fleet = [await house.worker() for _ in range(8)]
    results = await asyncio.gather(
        *(house.platform.execution.claim(worker, accepted.run.id) for worker in fleet)
    )
    assert [type(each) for each in results].count(Claim) == 1
    assert results.count(Refusal.NOT_CLAIMABLE) == 7


async def test_two_processes_cannot_claim_the_same_run(
    house: House, open_it: Open, database: str
) -> None:
    if database.startswith("sqlite"):
        return  # it has one process
    accepted = [await house.post(await house.session()) for _ in range(20)]
    async with open_it() as other:
        ours, theirs = await house.worker(), await house.worker()
        results = await asyncio.gather(
            *(house.platform.execution.claim(ours, each.run.id) for each in accepted),
            *(other.platform.execution.claim(theirs, each.run.id) for each in accepted[::-1]),
        )
    granted = [each.run_id for each in results if isinstance(each, Claim)]
    assert sorted(granted) == sorted(each.run.id for each in accepted)


async def test_a_claim_whose_answer_was_lost_is_handed_over_again(house: House) -> None:
    accepted = await house.post(await house.session())
    worker = await house.worker()
    first = await house.claim(worker, accepted.run.id)
    before = await house.rows(runs.select())
    assert await house.claim(worker, accepted.run.id) == first
    assert await house.rows(runs.select()) == before
    other = await house.worker()
    refused = await house.platform.execution.claim(other, accepted.run.id)
    assert refused is Refusal.NOT_CLAIMABLE


async def test_the_fence_grows_with_every_claim(house: House) -> None:
    session, claim = await house.start()
    fences = [claim.fence]
    for outcome in (GivenBack(), LOST, Retrying(seconds=0, error=RunError(code="x", message="x"))):
        await house.settle(claim, outcome)
        claim = await house.claim(await house.worker(), claim.run_id)
        fences.append(claim.fence)
    assert all(later > earlier for earlier, later in itertools.pairwise(fences))
    assert (await house.look(session)).status == SessionStatus.RUNNING


async def test_a_buried_or_unknown_worker_gets_nothing(house: House) -> None:
    accepted = await house.post(await house.session())
    buried = await house.worker()
    await house.platform.execution.retire(buried)
    for worker in (buried, WorkerId(new_id())):
        answer = await house.platform.execution.claim(worker, accepted.run.id)
        assert answer is Refusal.WORKER_LOST
    assert not await house.platform.execution.beat(buried, 4)
    await house.claim(await house.worker(), accepted.run.id)


async def test_a_paused_pool_holds_its_runs_back_and_says_so(house: House) -> None:
    accepted = await house.post(await house.session())
    worker = await house.worker()
    default = pools.update().where(pools.c.name == "default")
    await house.write(default.values(paused_at=1))
    answer = await house.platform.execution.claim(worker, accepted.run.id)
    assert answer is Refusal.NOT_NOW
    waiting = (await house.run(accepted.run.id)).waiting_for
    assert waiting is not None
    assert waiting.cause == "paused_pool"
    await house.write(default.values(paused_at=None))
    await house.claim(worker, accepted.run.id)
    assert (await house.run(accepted.run.id)).waiting_for is None


async def test_a_worker_knows_what_it_holds(house: House) -> None:
    _, claim = await house.start()
    [row] = await house.rows(workers.select())
    [held] = await house.platform.execution.held(row.id)
    assert (held.run_id, held.fence, held.cancel_requested) == (claim.run_id, claim.fence, False)
    await house.platform.runs.cancel(house.me, claim.run_id, reason=None)
    [held] = await house.platform.execution.held(row.id)
    assert held.cancel_requested
    await house.answer(claim)
    assert await house.platform.execution.held(row.id) == []


async def test_free_slots_elsewhere_are_known_by_pool(house: House) -> None:
    me, other = await house.worker(), await house.worker("narrow", slots=2)
    free = house.platform.execution.others_free
    assert not await free(me, "default")
    assert await free(me, "narrow")
    await house.platform.execution.beat(other, 0)
    assert not await free(me, "narrow")


async def test_registering_again_changes_nothing(house: House) -> None:
    worker = await house.worker()
    [row] = await house.rows(workers.select())
    await house.platform.execution.beat(worker, 1)
    await house.platform.execution.register(
        NewWorker(id=worker, name="again", pools=("default",), slots=99)
    )
    [again] = await house.rows(workers.select())
    assert (again.name, again.slots, again.beat) == (row.name, row.slots, 1)


async def test_two_losses_make_a_suspect_and_one_at_most_is_live_per_worker(house: House) -> None:
    suspects = [await suspect(house), await suspect(house)]
    healthy = await house.post(await house.session())
    worker, other = await house.worker(), await house.worker()
    claim = house.platform.execution.claim
    await house.claim(worker, suspects[0])
    assert await claim(worker, suspects[1]) is Refusal.NOT_NOW
    await house.claim(worker, healthy.run.id)
    await house.claim(other, suspects[1])


async def test_suspects_in_one_batch_are_counted_too(house: House) -> None:
    suspects = [await suspect(house) for _ in range(3)]
    worker = await house.worker()
    results = await asyncio.gather(
        *(house.platform.execution.claim(worker, each) for each in suspects)
    )
    assert [type(each) for each in results].count(Claim) == 1


async def suspect(house: House) -> RunId:
    _, claim = await house.start()
    for _ in range(2):
        await house.settle(claim, LOST)
        last = claim
        claim = await house.claim(await house.worker(), claim.run_id)
    assert claim.losses == 2
    await house.settle(claim, GivenBack())
    return last.run_id
