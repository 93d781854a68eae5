from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.execution import Held
from shared.domain.outcome import GivenBack
from shared.ids import RunId, SessionId, WorkerId, new_id
from tests.unit.workshop import FakeExecution, Flight, a_claim, a_run_id
from workers.agents import Troupe
from workers.agents_loop import AgentsLoop
from workers.attempt import Attempt, Stage
from workers.ending import Stop
from workers.reconcile import Reconciliation, compare

IDS = st.integers(min_value=0, max_value=7).map(lambda n: RunId(UUID(int=n)))
FENCES = st.integers(min_value=1, max_value=2)
REGISTRY = st.dictionaries(IDS, FENCES)
ROWS = st.dictionaries(IDS, st.tuples(FENCES, st.booleans()))
SUSPECTS = st.sets(st.tuples(IDS, FENCES))


def held(run_id: RunId, fence: int = 1, *, cancel: bool = False) -> Held:
    return Held(run_id=run_id, session_id=SessionId(new_id()), fence=fence, cancel_requested=cancel)


@given(registry=REGISTRY, rows=ROWS, claiming=st.sets(IDS), suspects=SUSPECTS)
def test_every_difference_has_one_consequence(
    registry: dict[RunId, int],
    rows: dict[RunId, tuple[int, bool]],
    claiming: set[RunId],
    suspects: set[tuple[RunId, int]],
) -> None:
    known = registry.keys() | claiming
    actions = compare(
        [held(run_id, fence, cancel=cancel) for run_id, (fence, cancel) in rows.items()],
        before=registry,
        known=known,
        suspects=suspects,
    )
    given_back = {(row.run_id, row.fence) for row in actions.give_back}
    for run_id, fence in registry.items():
        ours = run_id in rows and rows[run_id][0] == fence
        assert ((run_id, fence) in actions.abort) is not ours
        assert ((run_id, fence) in actions.cancel) is (ours and rows[run_id][1])
    for run_id, (fence, _) in rows.items():
        forgotten = run_id not in known
        seen = (run_id, fence) in suspects
        assert ((run_id, fence) in given_back) is (forgotten and seen)
        assert ((run_id, fence) in actions.suspects) is (forgotten and not seen)
    assert {run_id for run_id, _ in given_back | actions.suspects} <= rows.keys()


@given(registry=REGISTRY)
def test_agreement_has_no_consequence(registry: dict[RunId, int]) -> None:
    rows = [held(run_id, fence) for run_id, fence in registry.items()]
    actions = compare(rows, before=registry, known=registry.keys(), suspects=())
    assert not actions.cancel | actions.abort | actions.suspects
    assert not actions.give_back


async def test_a_forgotten_run_is_given_back_the_second_time_it_is_seen() -> None:
    execution, run_id = FakeExecution(), a_run_id()
    execution.rows = [held(run_id, 4)]
    reconciliation = Reconciliation(
        worker_id=WorkerId(new_id()),
        execution=execution,
        registry={},
        claiming=set(),
        timing=Flight().timing(),
    )
    await reconciliation.once()
    assert not execution.settlements
    await reconciliation.once()
    (settlement,) = execution.settlements
    assert (settlement.run_id, settlement.fence) == (run_id, 4)
    assert settlement.outcome == GivenBack()


async def test_a_claim_in_flight_is_not_forgotten() -> None:
    execution, run_id = FakeExecution(), a_run_id()
    execution.rows = [held(run_id)]
    reconciliation = Reconciliation(
        worker_id=WorkerId(new_id()),
        execution=execution,
        registry={},
        claiming={run_id},
        timing=Flight().timing(),
    )
    for _ in range(3):
        await reconciliation.once()
    assert not execution.settlements


async def test_attempts_are_cancelled_and_aborted_by_their_fence() -> None:
    loop = AgentsLoop()
    execution = FakeExecution()
    stage = Stage(
        execution=execution,
        agents_loop=loop,
        troupe=Troupe(scripted=True),
        run_timeout_seconds=1,
        timing=Flight().timing(),
    )
    flagged, gone, settling = (Attempt(a_claim(fence=2), stage) for _ in range(3))
    settling.settling = True
    execution.rows = [held(flagged.claim.run_id, 2, cancel=True)]
    reconciliation = Reconciliation(
        worker_id=WorkerId(new_id()),
        execution=execution,
        registry={each.claim.run_id: each for each in (flagged, gone, settling)},
        claiming=set(),
        timing=Flight().timing(),
    )
    await reconciliation.once()
    stops = [each._stop.done() and each._stop.result() for each in (flagged, gone, settling)]  # noqa: SLF001
    assert stops == [Stop.CANCEL, Stop.ABORT, False]
    loop.loop.close()
