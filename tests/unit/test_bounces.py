from tests.unit.workshop import Flight, a_run_id
from workers.bounces import (
    FIRST_HOLD_SECONDS,
    PATIENT_HOLD_SECONDS,
    PAUSE_SECONDS,
    QUICK_HOLD_SECONDS,
    QUICK_TIMES,
    REMEMBERED_SECONDS,
    Bounces,
)


def test_the_first_time_is_patient_the_next_quick_and_then_patient_again() -> None:
    flight, run_id = Flight(), a_run_id()
    bounces = Bounces(lambda: flight.now)
    seen = []
    for _ in range(QUICK_TIMES + 1):
        hold = bounces.hold(run_id)
        bounces.note(run_id)
        seen.append((hold, bounces.pause(run_id)))
    assert seen[0] == (FIRST_HOLD_SECONDS, PAUSE_SECONDS)
    assert set(seen[1:-1]) == {(QUICK_HOLD_SECONDS, 0.0)}
    assert seen[-1] == (QUICK_HOLD_SECONDS, PAUSE_SECONDS)
    assert bounces.hold(run_id) == PATIENT_HOLD_SECONDS


def test_what_was_long_ago_is_forgotten() -> None:
    flight, run_id = Flight(), a_run_id()
    bounces = Bounces(lambda: flight.now)
    bounces.note(run_id)
    flight.now += REMEMBERED_SECONDS
    assert bounces.hold(run_id) == FIRST_HOLD_SECONDS
    bounces.note(a_run_id())
    assert run_id not in bounces._seen  # noqa: SLF001
