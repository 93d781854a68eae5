from dataclasses import replace

import pytest

from shared.clock import SECOND, Instant
from shared.domain.exits import Exit, Standing, leave, may_end_in
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
from shared.domain.run import MAX_LOSSES, Approval, RunError, RunEvent, RunStatus

NOW = Instant(1_000_000 * SECOND)
HOUR = 3600
STANDING = Standing(attempt=2, losses=0, cancel_requested=False, wait_since=None)
ERROR = RunError(code="agent_error", message="no luck", retryable=True)
REPLY = Reply(content="yes")
APPROVALS = (
    Approval(call_id="1", tool="pay", arguments=None),
    Approval(call_id="2", tool="look", arguments=None, approved=True),
)
OUTCOMES: list[Outcome] = [
    Succeeded(reply=REPLY),
    Failed(error=ERROR, partial=REPLY),
    Cancelled(partial=REPLY),
    Retrying(seconds=5, error=ERROR),
    Deferred(seconds=5, why="busy"),
    Paused(approvals=APPROVALS),
    GivenBack(),
    GivenBack(lost=True),
]


def left(outcome: Outcome, standing: Standing = STANDING) -> Exit:
    return leave(standing, outcome, now=NOW, max_wait_seconds=24 * HOUR)


@pytest.mark.parametrize(
    ("outcome", "event", "attempt", "losses"),
    [
        (OUTCOMES[0], RunEvent.SUCCEED, 2, 0),
        (OUTCOMES[1], RunEvent.FAIL, 2, 0),
        (OUTCOMES[2], RunEvent.CANCEL, 2, 0),
        (OUTCOMES[3], RunEvent.RETRY, 2, 0),
        (OUTCOMES[4], RunEvent.DEFER, 1, 0),
        (OUTCOMES[5], RunEvent.PAUSE, 1, 0),
        (OUTCOMES[6], RunEvent.GIVE_BACK, 1, 0),
        (OUTCOMES[7], RunEvent.GIVE_BACK, 1, 1),
    ],
)
def test_what_each_exit_charges(
    outcome: Outcome, event: RunEvent, attempt: int, losses: int
) -> None:
    exit_ = left(outcome)
    assert (exit_.event, exit_.attempt, exit_.losses) == (event, attempt, losses)


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_a_cancel_that_came_first_wins_and_keeps_the_text(outcome: Outcome) -> None:
    exit_ = left(outcome, replace(STANDING, cancel_requested=True, losses=MAX_LOSSES - 1))
    assert (exit_.status, exit_.error) == (RunStatus.CANCELLED, None)
    said = isinstance(outcome, Succeeded | Failed | Cancelled)
    assert exit_.reply == (REPLY if said else None)


def test_backoff_and_deferral_have_their_time_and_cause() -> None:
    retry, deferral = left(OUTCOMES[3]), left(OUTCOMES[4])
    assert retry.available_at == deferral.available_at == NOW + 5 * SECOND
    assert (retry.wait_cause, retry.wait_detail) == (
        "retry_backoff", "Attempt 2 failed: no luck",
    )  # fmt: skip
    assert (deferral.wait_cause, deferral.wait_detail) == ("deferred", "busy")
    assert (retry.error, retry.attempt_error) == (None, ERROR)


def test_deferrals_are_counted_from_the_first() -> None:
    assert left(OUTCOMES[4]).wait_since == NOW
    since = Instant(NOW - 24 * HOUR * SECOND)
    allowed = left(OUTCOMES[4], replace(STANDING, wait_since=since))
    assert (allowed.event, allowed.wait_since) == (RunEvent.DEFER, since)
    over = left(OUTCOMES[4], replace(STANDING, wait_since=Instant(since - 1)))
    assert over.error is not None
    assert (over.status, over.error.code) == (RunStatus.FAILED, "deferred_too_long")
    assert over.error.message == "Deferred for more than 24 hours: busy"


def test_a_drain_keeps_the_count_of_deferrals_and_a_failure_ends_it() -> None:
    waited = replace(STANDING, wait_since=Instant(7))
    assert left(GivenBack(), waited).wait_since == 7
    assert left(OUTCOMES[3], waited).wait_since is None


@pytest.mark.parametrize("losses", range(MAX_LOSSES))
def test_the_fifth_loss_is_the_last(losses: int) -> None:
    exit_ = left(GivenBack(lost=True), replace(STANDING, losses=losses))
    failed = losses + 1 >= MAX_LOSSES
    assert exit_.status is (RunStatus.FAILED if failed else RunStatus.QUEUED)
    assert (exit_.error is not None and exit_.error.code == "worker_lost") == failed
    assert left(GivenBack(), replace(STANDING, losses=losses)).status is RunStatus.QUEUED


def test_a_pause_names_what_is_pending_and_when_it_is_too_late() -> None:
    exit_ = left(OUTCOMES[5])
    assert (exit_.wait_cause, exit_.wait_detail) == ("approval", "Waiting for approval of: pay")
    assert (exit_.available_at, exit_.approvals) == (NOW + 24 * HOUR * SECOND, APPROVALS)


@pytest.mark.parametrize("outcome", OUTCOMES)
@pytest.mark.parametrize("cancel", [False, True])
@pytest.mark.parametrize("losses", [0, MAX_LOSSES - 1])
@pytest.mark.parametrize("since", [None, Instant(0)])
def test_an_exit_is_known_again_by_its_event(
    outcome: Outcome, cancel: bool, losses: int, since: Instant | None
) -> None:
    standing = Standing(attempt=1, losses=losses, cancel_requested=cancel, wait_since=since)
    assert may_end_in(outcome, left(outcome, standing).event)


def test_what_somebody_else_did_is_not_taken_for_ones_own() -> None:
    for outcome in OUTCOMES[:6]:
        assert not may_end_in(outcome, RunEvent.GIVE_BACK)
    assert not may_end_in(Retrying(seconds=1, error=ERROR), RunEvent.FAIL)
