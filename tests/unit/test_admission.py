import asyncio
from dataclasses import dataclass, field

import pytest

from shared.domain.errors import Unavailable
from shared.domain.execution import Claim, Refusal
from shared.ids import RunId, WorkerId, new_id
from tests.unit.workshop import FakeExecution, Flight, a_run_id, eventually, within
from workers.admission import Admission
from workers.heartbeat import Lease
from workers.slots import Slots


@dataclass
class Bench:
    execution: FakeExecution = field(default_factory=FakeExecution)
    flight: Flight = field(default_factory=Flight)
    slots: Slots = field(default_factory=lambda: Slots(1))
    begun: list[Claim] = field(default_factory=list)
    live: set[RunId] = field(default_factory=set)
    buried: int = 0

    def __post_init__(self) -> None:
        self.lease = Lease(lease_seconds=30, heartbeat_seconds=10, timing=self.flight.timing())
        self.admission = Admission(
            worker_id=WorkerId(new_id()),
            execution=self.execution,
            slots=self.slots,
            lease=self.lease,
            holds=self.live.__contains__,
            begin=self.begun.append,
            buried=self.bury,
            timing=self.flight.timing(),
        )

    def bury(self) -> None:
        self.buried += 1

    def admit(self, run_id: RunId) -> asyncio.Task[None]:
        return asyncio.create_task(self.admission.admit(run_id, "default"))


@pytest.fixture
async def bench() -> Bench:
    return Bench()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.bounces.FIRST_HOLD_SECONDS", 0.001)
    monkeypatch.setattr("workers.admission.PATIENT_HOLD_SECONDS", 0.001)


async def test_a_run_is_claimed_and_started_and_keeps_the_slot(bench: Bench) -> None:
    run_id = a_run_id()
    await within(bench.admit(run_id))
    assert [claim.run_id for claim in bench.begun] == [run_id]
    assert bench.slots.free == 0


@pytest.mark.parametrize("refusal", [Refusal.NOT_CLAIMABLE, Refusal.NOT_NOW])
async def test_a_refusal_frees_the_slot(bench: Bench, refusal: Refusal) -> None:
    bench.execution.answers["claim"] = [refusal]
    await within(bench.admit(a_run_id()))
    assert (bench.begun, bench.slots.free, bench.buried) == ([], 1, 0)


async def test_a_buried_worker_learns_it_from_its_claim(bench: Bench) -> None:
    bench.execution.answers["claim"] = [Refusal.WORKER_LOST]
    await within(bench.admit(a_run_id()))
    assert bench.buried == 1


async def test_what_is_live_or_on_its_way_is_only_acknowledged(bench: Bench) -> None:
    bench.slots.take()
    live, waiting = a_run_id(), a_run_id()
    bench.live.add(live)
    await within(bench.admit(live))
    first = bench.admit(waiting)
    await asyncio.sleep(0)
    await within(bench.admit(waiting))
    assert not first.done()
    bench.slots.give()
    await within(first)
    assert bench.execution.claimed == [waiting]


@pytest.mark.usefixtures("impatient")
async def test_a_full_worker_hands_back_when_others_are_free(bench: Bench) -> None:
    bench.slots.take()
    bench.execution.others = True
    run_id = a_run_id()
    await within(bench.admit(run_id))
    await within(bench.admit(run_id))
    assert bench.execution.handed_back == [(run_id, 1.0), (run_id, 0.0)]
    assert not bench.execution.claimed


@pytest.mark.usefixtures("impatient")
async def test_a_full_worker_holds_when_nobody_is_free_but_not_for_ever(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.admission.LONGEST_HOLD_SECONDS", 0.01)
    bench.slots.take()
    bench.execution.answers["others_free"] = [Unavailable("away")]
    run_id = a_run_id()
    await within(bench.admit(run_id))
    assert bench.execution.handed_back == [(run_id, 1.0)]


async def test_while_the_database_is_away_nothing_is_acknowledged(bench: Bench) -> None:
    bench.execution.answers["claim"] = [Unavailable("away"), Unavailable("away")]
    await within(bench.admit(a_run_id()))
    assert bench.flight.slept == [0.1, 0.2]
    assert len(bench.begun) == 1


async def test_what_seems_live_without_a_lease_is_not_acknowledged(bench: Bench) -> None:
    run_id = a_run_id()
    bench.live.add(run_id)
    bench.flight.now += 25
    waiting = bench.admit(run_id)
    await asyncio.sleep(0)
    assert not waiting.done()
    bench.live.remove(run_id)
    bench.lease.confirm(bench.flight.now)
    await within(waiting)
    assert bench.execution.claimed == [run_id]


async def test_with_a_stale_lease_nothing_is_claimed(bench: Bench) -> None:
    bench.flight.now += 20.0
    admitting = bench.admit(a_run_id())
    await eventually(lambda: len(bench.flight.slept) > 3)
    assert not bench.execution.claimed
    bench.lease.confirm(bench.flight.now)
    await within(admitting)
    assert len(bench.begun) == 1


async def test_a_defect_hands_the_run_back_and_raises_nothing(bench: Bench) -> None:
    bench.execution.answers["claim"] = [RuntimeError("defect")]
    run_id = a_run_id()
    await within(bench.admit(run_id))
    assert bench.execution.handed_back == [(run_id, 5.0)]
    assert bench.slots.free == 1


async def test_frozen_it_answers_nothing_and_claims_nothing(bench: Bench) -> None:
    bench.slots.take()
    waiting = bench.admit(a_run_id())
    await asyncio.sleep(0)
    bench.admission.freeze()
    late = bench.admit(a_run_id())
    bench.slots.give()
    for _ in range(20):
        await asyncio.sleep(0)
    assert not waiting.done()
    assert not late.done()
    bench.admission.release()
    await within(asyncio.gather(waiting, late, bench.admit(a_run_id())))
    await within(bench.admission.settled(1.0))
    assert (bench.execution.claimed, bench.execution.handed_back) == ([], [])
    assert bench.slots.free == 1


async def test_a_claim_in_flight_is_waited_for(bench: Bench) -> None:
    answer = asyncio.Event()
    claim = bench.execution.claim

    async def slowly(worker_id: WorkerId, run_id: RunId) -> Claim | Refusal:
        await answer.wait()
        return await claim(worker_id, run_id)

    bench.execution.claim = slowly  # type: ignore[method-assign]
    run_id = a_run_id()
    admitting = bench.admit(run_id)
    await eventually(lambda: run_id in bench.admission.claiming)
    bench.admission.freeze()
    bench.admission.release()
    settled = asyncio.create_task(bench.admission.settled(5.0))
    await asyncio.sleep(0)
    assert not settled.done()
    answer.set()
    await within(asyncio.gather(settled, admitting))
    assert [each.run_id for each in bench.begun] == [run_id]
