import asyncio

import pytest

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
from shared.domain.retry import RetryPolicy
from shared.domain.run import Approval, RunError
from tests.unit.workshop import a_claim
from workers.agents.base import Defer, NonRetryable, Pause
from workers.ending import Ending, Stop, decide

PARTIAL = Reply(content="so far")
APPROVAL = Approval(call_id="1", tool="pay", arguments=None)


def ended(ending: Ending, *, attempt: int = 1, text: str = "so far") -> Outcome | None:
    return decide(
        ending,
        claim=a_claim(attempt=attempt),
        policy=RetryPolicy(max_attempts=99, base_seconds=2.0),
        text=text,
        uniform=lambda _, most: most,
    )


@pytest.mark.parametrize(
    ("ending", "outcome"),
    [
        (Reply(content="yes"), Succeeded(reply=Reply(content="yes"))),
        (Stop.CANCEL, Cancelled(partial=PARTIAL)),
        (Stop.GIVE_BACK, GivenBack()),
        (Stop.CHARGE, GivenBack(lost=True)),
        (Stop.ABORT, None),
        (Pause((APPROVAL,)), Paused(approvals=(APPROVAL,))),
        (Defer(5, "busy"), Deferred(seconds=5.0, why="busy")),
        (Defer(-5, "busy"), Deferred(seconds=0.0, why="busy")),
        (
            NonRetryable("no_money", "Pay first."),
            Failed(error=RunError(code="no_money", message="Pay first."), partial=PARTIAL),
        ),
        (
            ValueError("no"),
            Retrying(
                seconds=2.0,
                error=RunError(code="agent_error", message="ValueError: no", retryable=True),
            ),
        ),
    ],
)
def test_each_ending_has_its_outcome(ending: Ending, outcome: Outcome | None) -> None:
    assert ended(ending) == outcome


def test_the_last_attempt_that_the_claim_allows_is_the_last() -> None:
    assert isinstance(ended(ValueError("no"), attempt=2), Retrying)
    last = ended(ValueError("no"), attempt=3)
    assert last == Failed(
        error=RunError(code="attempts_exhausted", message="ValueError: no"), partial=PARTIAL
    )


def test_a_timeout_is_retried_and_keeps_its_code_at_the_end() -> None:
    again, last = ended(Stop.TIMEOUT), ended(Stop.TIMEOUT, attempt=3)
    assert isinstance(again, Retrying)
    assert isinstance(last, Failed)
    assert again.error.code == last.error.code == "run_timeout"


def test_an_agent_that_cancels_itself_has_failed() -> None:
    outcome = ended(asyncio.CancelledError())
    assert isinstance(outcome, Retrying)
    assert outcome.error.code == "agent_error"


def test_nothing_said_is_nothing_kept() -> None:
    assert ended(Stop.CANCEL, text="") == Cancelled(partial=None)


def test_a_long_error_is_cut() -> None:
    outcome = ended(ValueError("x" * 10_000))
    assert isinstance(outcome, Retrying)
    assert len(outcome.error.message) == 2_000
