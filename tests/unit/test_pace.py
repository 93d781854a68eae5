"""How long runs take, and when to ask again."""

import pytest

from shared.clock import Instant
from shared.domain.pace import (
    LATEST,
    NOBODY,
    SOONEST,
    Hand,
    Pace,
    Workforce,
    run_poll_after,
    session_poll_after,
    workforces,
)
from shared.domain.run import Run, RunStatus, Waiting
from shared.domain.session import RunGlance, Standing
from shared.ids import AgentId, RunId, SessionId, new_id

NOW = Instant(0)


def test_the_first_runs_count_alike_and_later_ones_a_twentieth() -> None:
    pace = Pace()
    for seconds in (1.0, 2.0, 6.0):
        pace.note("a", seconds)
    assert pace.seconds == {"a": pytest.approx(3.0)}
    for _ in range(17):
        pace.note("a", 3.0)
    pace.note("a", 23.0)
    assert pace.seconds["a"] == pytest.approx(4.0)
    pace.note("b", 1.0)
    assert pace.seconds["b"] == 1.0


def test_a_pools_force_is_that_of_its_live_workers() -> None:
    hands = [
        Hand(pools=("a", "b"), slots=2, run_seconds={"a": 4.0}),
        Hand(pools=("a",), slots=3, run_seconds={"a": 8.0}),
        Hand(pools=("b",), slots=1, run_seconds={"gone": 1.0}),
    ]
    assert workforces(hands) == {
        "a": Workforce(slots=5, seconds=6.0),
        "b": Workforce(slots=3, seconds=None),
    }
    assert workforces([]) == {}


def session(status: str | None, depth: int = 0) -> Standing:
    glance = RunGlance(id=RunId(new_id()), status=RunStatus(status)) if status else None
    return Standing(
        id=SessionId(new_id()),
        tenant="t",
        user_id=None,
        pool="default",
        version=1,
        message_count=0,
        queue_depth=depth,
        scheduled_depth=0,
        active_run=glance,
        last_run=None,
        last_activity_at=NOW,
        expires_at=None,
        ended_at=None,
    )


@pytest.mark.parametrize(
    ("watched", "force", "seconds"),
    [
        (session("running"), Workforce(seconds=9.0), 5),
        (session(None, depth=1), Workforce(seconds=9.0), 5),
        (session("running"), Workforce(seconds=0.01), SOONEST),
        (session("running"), Workforce(seconds=4000.0), LATEST),
        (session("running"), NOBODY, 2),
        (session("waiting"), Workforce(seconds=9.0), 10),
        (session(None), Workforce(seconds=9.0), 30),
    ],
)
def test_a_session_is_worth_a_look_sooner_while_a_run_is_due(
    watched: Standing, force: Workforce, seconds: int
) -> None:
    assert session_poll_after(watched, force) == seconds


def run(status: str, eta: float | None = None) -> Run:
    waiting = Waiting(cause="queue_depth", detail="", eta_seconds=eta)
    return Run(
        id=RunId(new_id()),
        session_id=SessionId(new_id()),
        agent_id=AgentId(new_id()),
        agent="echo",
        pool="default",
        status=RunStatus(status),
        seq=1,
        message_ids=(),
        max_attempts=3,
        correlation_id="c",
        priority=0,
        waiting_for=waiting if status == "queued" else None,
        stored_at=NOW,
    )


@pytest.mark.parametrize(
    ("watched", "force", "seconds"),
    [
        (run("queued", eta=40.0), Workforce(seconds=10.0), 25),
        (run("queued", eta=40.0), NOBODY, 20),
        (run("queued"), Workforce(seconds=10.0), 5),
        (run("queued"), NOBODY, 2),
        (run("running"), Workforce(seconds=10.0), 5),
        (run("waiting"), Workforce(seconds=10.0), 10),
        (run("succeeded"), Workforce(seconds=10.0), None),
    ],
)
def test_a_run_is_worth_a_look_half_way_to_its_expected_end(
    watched: Run, force: Workforce, seconds: int | None
) -> None:
    assert run_poll_after(watched, force) == seconds
