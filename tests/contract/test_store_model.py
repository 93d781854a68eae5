"""Random sequences of verbs over a few sessions, compared with a model after every step."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from shared.domain.errors import NotFound, NotRetryable, NotWaiting, SessionQueueFull
from shared.domain.execution import Claim, Refusal
from shared.domain.message import Reply
from shared.domain.outcome import (
    Deferred,
    Failed,
    GivenBack,
    Outcome,
    Paused,
    Retrying,
    Succeeded,
)
from shared.domain.requests import Decision
from shared.domain.run import Approval, RunError, RunStatus
from shared.ids import WorkerId
from shared.storage.schema import runs
from tests.contract.line_model import DAY, Line, Q, R, Run, W
from tests.platforms import House, exit_of, open_house

T = TypeVar("T")
SESSIONS, BACKOFF = 3, 100.0
ERROR = RunError(code="x", message="x")
PAUSED = Paused(approvals=(Approval(call_id="1", tool="pay", arguments=None),))
OUTCOMES: list[Outcome] = [
    Succeeded(reply=Reply(content="yes")),
    Failed(error=ERROR),
    Failed(error=ERROR, partial=Reply(content="so f")),
    Retrying(seconds=BACKOFF, error=ERROR),
    Retrying(seconds=0, error=ERROR),
    Deferred(seconds=BACKOFF, why="x"),
    PAUSED,
    GivenBack(),
    GivenBack(lost=True),
]

line_ = st.integers(0, SESSIONS - 1)
run_ = st.integers(0, 3)


class Verbs(RuleBasedStateMachine):
    def __init__(self, house: House, until: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
        super().__init__()
        self.house = house
        self.platform = house.platform
        self._until = until
        self.now = 0.0
        self.lines: list[Line] = []
        self.workers: list[WorkerId] = []

    def until(self, work: Coroutine[Any, Any, T]) -> T:
        result: T = self._until(work)
        return result

    @initialize()
    def begin(self) -> None:
        self.lines = [Line(self.until(self.house.session())) for _ in range(SESSIONS)]
        self.workers = [self.until(self.house.worker()) for _ in range(2)]

    def pick(self, line: int, run: int) -> Run | None:
        """One of the line's newest runs."""
        newest = self.lines[line].runs[-4:]
        return newest[run] if run < len(newest) else None

    @rule(line=line_)
    def post(self, line: int) -> None:
        model = self.lines[line]
        if model.depth >= 5:
            with pytest.raises(SessionQueueFull):
                self.until(self.house.post(model.session))
            return
        model.runs.append(Run(self.until(self.house.post(model.session)).run.id))
        model.messages += 1

    @rule(line=line_, run=run_, worker=st.integers(0, 1))
    def claim(self, line: int, run: int, worker: int) -> None:
        self._claim(line, self.pick(line, run), self.workers[worker])

    @rule(line=line_, worker=st.integers(0, 1))
    def claim_the_head(self, line: int, worker: int) -> None:
        self._claim(line, self.lines[line].head, self.workers[worker])

    def _claim(self, line: int, model: Run | None, worker: WorkerId) -> None:
        if model is None:
            return
        result = self.until(self.platform.execution.claim(worker, model.id))
        if model.status is R and model.worker == worker:
            assert result == model.claim
        elif not self.lines[line].claimable(model):
            assert result is Refusal.NOT_CLAIMABLE
        elif model.suspect and self._holds_a_suspect(worker):
            assert result is Refusal.NOT_NOW
        else:
            assert isinstance(result, Claim)
            assert model.claim is None or result.fence > model.claim.fence
            model.start(result, worker)
            assert (result.attempt, result.losses) == (model.attempt, model.losses)

    def _holds_a_suspect(self, worker: WorkerId) -> bool:
        return any(
            each.suspect and each.worker == worker for line in self.lines for each in line.runs
        )

    @rule(line=line_, outcome=st.sampled_from(OUTCOMES))
    def settle(self, line: int, outcome: Outcome) -> None:
        model = self.lines[line].live
        if model is None or model.claim is None or model.status is not R:
            return
        settled = self.until(self.platform.execution.settle(exit_of(model.claim, outcome)))
        self.lines[line].messages += model.leave(outcome, self.now)
        assert (settled.accepted, settled.status) == (True, model.status)

    @rule(line=line_, run=run_)
    def settle_late(self, line: int, run: int) -> None:
        model = self.pick(line, run)
        if model is not None and model.claim is not None and model.status is Q:
            late = exit_of(model.claim, Succeeded(reply=Reply(content="late")))
            assert not self.until(self.platform.execution.settle(late)).accepted

    @rule(line=line_, run=run_)
    def cancel(self, line: int, run: int) -> None:
        if (model := self.pick(line, run)) is not None:
            self.until(self.platform.runs.cancel(self.house.me, model.id, reason=None))
            model.cancel()

    @rule(line=line_, run=run_)
    def retry(self, line: int, run: int) -> None:
        if (model := self.pick(line, run)) is None:
            return
        work = self.platform.runs.retry(self.house.me, model.id, correlation_id="c")
        if model.status in {RunStatus.FAILED, RunStatus.CANCELLED}:
            self.lines[line].runs.append(Run(self.until(work).id))
            return
        with pytest.raises(NotRetryable):
            self.until(work)

    @rule(line=line_, run=run_)
    def resume(self, line: int, run: int) -> None:
        if (model := self.pick(line, run)) is None:
            return
        decisions = (Decision(call_id="1", approved=True),)
        work = self.platform.runs.resume(self.house.me, model.id, decisions)
        if model.status is W:
            self.until(work)
            model.status = Q
            return
        with pytest.raises(NotWaiting):
            self.until(work)

    @rule(seconds=st.sampled_from([BACKOFF * 2, DAY * 1.1]))
    def time_passes(self, seconds: float) -> None:
        self.house.wait(seconds)
        self.now += seconds
        self.until(self.platform.upkeep.sweep())
        for model in (run for line in self.lines for run in line.runs):
            model.scheduled = False
            if seconds > DAY and model.status is W:
                model.status = RunStatus.FAILED

    @rule(worker=st.integers(0, 1))
    def lose(self, worker: int) -> None:
        dead, self.workers[worker] = self.workers[worker], self.until(self.house.worker())
        self.until(self.platform.execution.retire(dead))
        self.until(self.platform.upkeep.give_back_left_behind())
        for model in (run for line in self.lines for run in line.runs):
            if model.worker == dead:
                model.leave(GivenBack(lost=True), self.now)

    @rule(line=line_)
    def delete(self, line: int) -> None:
        gone = self.lines[line].session
        self.until(self.platform.sessions.delete(self.house.me, gone.id))
        with pytest.raises(NotFound):
            self.until(self.house.look(gone))
        self.lines[line] = Line(self.until(self.house.session()))

    @invariant()
    def the_store_agrees(self) -> None:
        self.until(self._compare())

    async def _compare(self) -> None:
        for line in self.lines:
            seen = await self.house.look(line.session)
            live = line.live
            assert (seen.queue_depth, seen.message_count) == (line.depth, line.messages)
            assert (seen.active_run and seen.active_run.id) == (live and live.id)
            query = sa.select(runs).where(runs.c.session_id == seen.id).order_by(runs.c.seq)
            rows = await self.house.rows(query)
            stored = [(r.id, r.status, r.attempt, r.losses) for r in rows]
            assert stored == [(r.id, r.status, r.attempt, r.losses) for r in line.runs]
            ready = [row.id for row in rows if row.dispatch in {"ready", "announced"}]
            assert ready == [run.id for run in line.runs if line.claimable(run)]
        assert await self.house.findings() == []


Machine = Callable[[House, Callable[[Coroutine[Any, Any, Any]], Any]], RuleBasedStateMachine]


def check(machine: Machine, url: str, folder: Path, *, examples: int, steps: int) -> None:
    """Let a machine of verbs loose on a platform over this database."""
    with asyncio.Runner() as runner:
        opened = open_house(url, folder)
        house = runner.run(opened.__aenter__())
        try:
            run_state_machine_as_test(
                lambda: machine(house, runner.run),  # type: ignore[arg-type]
                settings=settings(
                    max_examples=examples,
                    stateful_step_count=steps,
                    suppress_health_check=list(HealthCheck),
                ),
            )
        finally:
            runner.run(opened.__aexit__(None, None, None))


def test_any_sequence_of_verbs_keeps_the_lines_on_sqlite(sqlite_rows: str, tmp_path: Path) -> None:
    check(Verbs, sqlite_rows, tmp_path, examples=15, steps=40)


def test_any_sequence_of_verbs_keeps_the_lines_on_postgres(
    postgres_rows: str, tmp_path: Path
) -> None:
    check(Verbs, postgres_rows, tmp_path, examples=5, steps=30)
