from dataclasses import dataclass

import pytest

from shared.clock import Instant
from shared.domain.run import RunStatus, Waiting
from shared.domain.waiting import Standstill, explain
from shared.ids import RunId, new_id

NOW = Instant(1000)
OTHER = RunId(new_id())


@dataclass(frozen=True, kw_only=True)
class Row:
    status: str = "queued"
    dispatch: str | None = "ready"
    cause: str | None = None
    detail: str | None = None
    until: Instant | None = None

    def explained(self) -> Waiting | None:
        row = Standstill(
            status=self.status,
            dispatch=self.dispatch,
            cause=self.cause,
            detail=self.detail,
            until=self.until,
        )
        return explain(row, NOW, busy_with=OTHER)


@pytest.mark.parametrize(
    ("row", "cause"),
    [
        (Row(), "queue_depth"),
        (Row(dispatch="announced"), "queue_depth"),
        (Row(dispatch="blocked"), "session_busy"),
        (Row(dispatch="blocked", cause="retry_backoff"), "session_busy"),
        (Row(dispatch="scheduled", until=Instant(2000)), "not_before"),
        (Row(dispatch="scheduled", cause="retry_backoff", until=Instant(2000)), "retry_backoff"),
        (Row(cause="deferred", until=Instant(999)), "queue_depth"),
        (Row(cause="concurrency_cap"), "concurrency_cap"),
        (Row(cause="paused_pool", dispatch="announced"), "paused_pool"),
        (Row(status="waiting", dispatch=None), "approval"),
    ],
)
def test_a_run_that_waits_says_why(row: Row, cause: str) -> None:
    waiting = row.explained()
    assert waiting is not None
    assert waiting.cause == cause
    assert waiting.detail.endswith(".")


@pytest.mark.parametrize("status", sorted(set(RunStatus) - {RunStatus.QUEUED, RunStatus.WAITING}))
def test_a_run_that_runs_or_is_over_waits_for_nothing(status: str) -> None:
    assert Row(status=status, dispatch=None, cause="deferred").explained() is None


def test_until_when_and_behind_whom() -> None:
    scheduled = Row(dispatch="scheduled", until=Instant(2000), cause="deferred", detail="Busy.")
    waiting, blocked = scheduled.explained(), Row(dispatch="blocked").explained()
    assert waiting is not None
    assert blocked is not None
    assert (waiting.until, waiting.detail, waiting.run_id) == (2000, "Busy.", None)
    assert (blocked.until, blocked.run_id) == (None, OTHER)
