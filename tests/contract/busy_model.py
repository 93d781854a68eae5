"""A conversation in plain Python: policies, instants, and what each prompt may show."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from shared.clock import Instant
from shared.domain.execution import Claim
from shared.domain.outcome import Failed, GivenBack, Outcome, Paused, Retrying, Succeeded
from shared.domain.run import LIVE, TERMINAL, OnBusy, RunStatus
from shared.domain.session import Session
from shared.ids import MessageId, RunId

Q, R, W = RunStatus.QUEUED, RunStatus.RUNNING, RunStatus.WAITING
CLEARING = {OnBusy.INTERRUPT, OnBusy.ROLLBACK}
MOST = 5  # queued runs


@dataclass(eq=False)
class Run:
    id: RunId
    on_busy: OnBusy = OnBusy.ENQUEUE
    priority: int = 0
    due: Instant | None = None
    deadline: int | None = None
    status: RunStatus = Q
    paused_for: int | None = None
    started: bool = False
    flagged: bool = False
    in_context: bool = True
    claim: Claim | None = None

    @property
    def over(self) -> bool:
        return self.status in TERMINAL

    def cancel(self, *, stays: bool) -> None:
        self.in_context = stays
        if self.status is R:
            self.flagged = True
        else:
            self.status = RunStatus.CANCELLED

    def leave(self, outcome: Outcome, now: int) -> None:
        self.claim = None
        match outcome:
            case _ if self.flagged:
                self.status = RunStatus.CANCELLED
            case Succeeded():
                self.status = RunStatus.SUCCEEDED
            case Failed():
                self.status = RunStatus.FAILED
            case Paused():
                self.status = W
            case Retrying():
                self.status, self.paused_for = Q, now + 1
            case GivenBack():
                self.status = Q


@dataclass(eq=False)
class Said:
    """A message; `turn` is the run whose turn it is part of, `given` those that answer it."""

    id: MessageId | None
    content: str
    turn: Run
    given: list[Run] = field(default_factory=list)
    interrupted: bool = False


@dataclass(eq=False)
class Conversation:
    session: Session
    runs: list[Run] = field(default_factory=list)  # by place
    beside: list[Run] = field(default_factory=list)  # not due
    said: list[Said] = field(default_factory=list)  # by place
    unplaced: list[Said] = field(default_factory=list)

    @property
    def unfinished(self) -> Iterator[Run]:
        return (run for run in self.runs if not run.over)

    @property
    def head(self) -> Run | None:
        return next(self.unfinished, None)

    @property
    def tail(self) -> Run | None:
        return next(iter(list(self.unfinished)[::-1]), None)

    @property
    def live(self) -> Run | None:
        return next((run for run in self.runs if run.status in LIVE), None)

    @property
    def depth(self) -> int:
        return len(self.beside) + sum(run.status is Q for run in self.runs)

    def partner(self, on_busy: OnBusy, priority: int) -> Run | None:
        """Return the run that a message joins, if there is one."""
        tail = self.tail
        if tail is None or on_busy is not OnBusy.COALESCE or tail.on_busy is not on_busy:
            return None
        joins = tail.status is Q and not tail.started and tail.priority == priority
        return tail if joins else None

    def refusal(self, on_busy: OnBusy) -> str | None:
        """Return the code with which a message that joins nobody is refused."""
        if on_busy is OnBusy.REJECT and self.head:
            return "session_busy"
        depth = len(self.beside) if on_busy in CLEARING else self.depth
        return "session_queue_full" if depth >= MOST else None

    def clear(self, on_busy: OnBusy) -> list[Run]:
        """Make room; return who had to go."""
        gone = list(self.unfinished) if on_busy in CLEARING else []
        for run in gone:
            run.cancel(stays=on_busy is OnBusy.INTERRUPT and run.in_context)
            for message in self.said:
                message.interrupted |= run in message.given
        return gone

    def post(self, message: Said, run: Run) -> None:
        message.turn = run
        message.given.append(run)
        if run.due is not None:
            self.beside.append(run)
            self.unplaced.append(message)
            return
        self.said.append(message)
        if run not in self.runs:
            self.runs.append(run)

    def cancel(self, run: Run) -> None:
        if not run.over and not run.flagged:
            run.cancel(stays=run.started)
            self._seat_ended()

    def retry(self, run: Run, again: Run, now: int) -> None:
        kept = run.deadline is not None and run.deadline > now
        again.priority, again.deadline = run.priority, run.deadline if kept else None
        for message in [*self.said, *self.unplaced]:
            if run in message.given:
                message.turn, message.interrupted = again, False
                message.given.append(again)
        self.said += [message for message in self.unplaced if again in message.given]
        self.unplaced = [message for message in self.unplaced if again not in message.given]
        self.runs.append(again)

    def pass_(self, now: int, instant: Instant) -> None:
        """Bring what instants bring."""
        for run in self.runs:
            if run.paused_for is not None and run.paused_for <= now:
                run.paused_for = None
        come = [run for run in self.beside if run.due is not None and run.due <= instant]
        for run in sorted(come, key=lambda run: (run.due, run.id)):
            run.due = None
            self.beside.remove(run)
            self.said += [message for message in self.unplaced if run in message.given]
            self.unplaced = [message for message in self.unplaced if run not in message.given]
            self.runs.append(run)
        for run in self.runs:
            self.end_if_late(run, now)

    def end_if_late(self, run: Run, now: int) -> bool:
        late = run.status is Q and run.deadline is not None and run.deadline <= now
        if late:
            run.status = RunStatus.FAILED
        return late

    def _seat_ended(self) -> None:
        """What ended without having been due has a place, its message has none."""
        self.runs += [run for run in self.beside if run.over]
        self.beside = [run for run in self.beside if not run.over]

    def inputs(self, run: Run) -> list[str]:
        return [message.content for message in self.said if run in message.given]

    def prompt(self, run: Run) -> list[tuple[str, bool]]:
        """What is shown before a run's own messages."""
        before = self.runs[: self.runs.index(run)]
        return [
            (message.content, message.interrupted)
            for turn in before
            if turn.over and turn.in_context
            for message in self.said
            if message.turn is turn
        ]
