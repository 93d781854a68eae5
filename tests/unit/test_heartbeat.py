from shared.domain.errors import Unavailable
from shared.ids import WorkerId, new_id
from tests.unit.workshop import FakeExecution, Flight, within
from workers.heartbeat import Heartbeat, Lease


def heartbeat(execution: FakeExecution, flight: Flight, lease: Lease) -> Heartbeat:
    return Heartbeat(
        worker_id=WorkerId(new_id()),
        execution=execution,
        lease=lease,
        free_slots=lambda: 3,
        every_seconds=10,
        timing=flight.timing(),
    )


def a_lease(flight: Flight) -> Lease:
    return Lease(lease_seconds=30, heartbeat_seconds=10, timing=flight.timing())


async def test_it_beats_at_its_interval_until_it_is_buried() -> None:
    flight, execution = Flight(), FakeExecution()
    execution.answers["beat"] = [True, True, False]
    buried: list[float] = []
    await within(
        heartbeat(execution, flight, a_lease(flight)).run(lambda: buried.append(flight.now))
    )
    assert execution.free == [3, 3, 3]
    assert flight.slept == [10, 10]
    assert buried == [1020.0]


async def test_a_missed_beat_is_tried_again_soon_and_makes_the_lease_stale() -> None:
    flight, execution = Flight(), FakeExecution()
    lease = a_lease(flight)
    execution.answers["beat"] = [*(Unavailable("away") for _ in range(20)), False]
    fresh: list[bool] = []
    await within(heartbeat(execution, flight, lease).run(lambda: fresh.append(lease.fresh())))
    assert flight.slept == [1] * 20
    assert fresh == [False]


async def test_the_lease_counts_from_when_the_beat_was_asked_for() -> None:
    flight = Flight()
    lease = a_lease(flight)
    flight.now += 19.9
    assert lease.fresh()
    flight.now += 0.1
    assert not lease.fresh()
    lease.confirm(flight.now - 5)
    assert lease.fresh()
