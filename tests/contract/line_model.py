"""A session's line in plain Python: what the store is compared with after every step."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from shared.domain.execution import Claim
from shared.domain.outcome import (
    Deferred,
    Failed,
    GivenBack,
    Outcome,
    Paused,
    Retrying,
    Succeeded,
)
from shared.domain.run import LIVE, MAX_LOSSES, SUSPECT_LOSSES, TERMINAL, RunStatus
from shared.domain.session import Session
from shared.ids import RunId, WorkerId

Q, R, W = RunStatus.QUEUED, RunStatus.RUNNING, RunStatus.WAITING
DAY = 24 * 3600.0


@dataclass(eq=False)
class Run:
    id: RunId
    status: RunStatus = Q
    scheduled: bool = False
    attempt: int = 0
    losses: int = 0
    flagged: bool = False
    deferred_at: float | None = None
    claim: Claim | None = None
    worker: WorkerId | None = None

    @property
    def over(self) -> bool:
        return self.status in TERMINAL

    @property
    def suspect(self) -> bool:
        return self.losses >= SUSPECT_LOSSES

    def start(self, claim: Claim, worker: WorkerId) -> None:
        self.status, self.claim, self.worker = R, claim, worker
        self.attempt += 1

    def leave(self, outcome: Outcome, now: float) -> bool:
        """Follow the rules of the architecture; tell whether an answer is stored."""
        text = isinstance(outcome, Succeeded) or bool(getattr(outcome, "partial", None))
        self.worker = None
        if isinstance(outcome, GivenBack) and outcome.lost:
            self.losses += 1
        if self.flagged:
            self.status = RunStatus.CANCELLED
            return text
        if isinstance(outcome, Deferred | Paused | GivenBack):
            self.attempt -= 1
        self.status = self._after(outcome, now)
        put_off = isinstance(outcome, Deferred | Retrying) and outcome.seconds > 0
        self.scheduled = put_off and not self.over
        return text

    def _after(self, outcome: Outcome, now: float) -> RunStatus:
        match outcome:
            case Succeeded():
                return RunStatus.SUCCEEDED
            case Failed():
                return RunStatus.FAILED
            case Paused():
                self.deferred_at = None
                return W
            case Deferred():
                self.deferred_at = now if self.deferred_at is None else self.deferred_at
                return RunStatus.FAILED if now - self.deferred_at > DAY else Q
            case GivenBack():
                return RunStatus.FAILED if self.losses >= MAX_LOSSES else Q
            case _:
                self.deferred_at = None
                return Q

    def cancel(self) -> None:
        if self.status is R:
            self.flagged = True
        elif not self.over:
            self.status, self.scheduled = RunStatus.CANCELLED, False


@dataclass(eq=False)
class Line:
    session: Session
    runs: list[Run] = field(default_factory=list)
    messages: int = 0

    @property
    def unfinished(self) -> Iterator[Run]:
        return (run for run in self.runs if not run.over)

    @property
    def head(self) -> Run | None:
        return next(self.unfinished, None)

    @property
    def live(self) -> Run | None:
        return next((run for run in self.runs if run.status in LIVE), None)

    @property
    def depth(self) -> int:
        return sum(run.status is Q for run in self.runs)

    def claimable(self, run: Run) -> bool:
        return run is self.head and run.status is Q and not run.scheduled
