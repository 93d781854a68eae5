"""Random sequences of policies, instants and verbs, compared with a model after every step."""

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest
import sqlalchemy as sa
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from shared.domain.errors import InturnError, NotRetryable, NotWaiting
from shared.domain.execution import Claim, Refusal
from shared.domain.message import Reply
from shared.domain.outcome import Failed, GivenBack, Outcome, Paused, Retrying, Succeeded
from shared.domain.requests import Accepted, Decision
from shared.domain.run import Approval, OnBusy, RunError, RunStatus
from shared.ids import WorkerId
from shared.storage.schema import run_inputs, runs
from tests.contract.busy_model import Conversation, Q, R, Run, Said, W
from tests.contract.test_store_model import check
from tests.platforms import House

T = TypeVar("T")
HOUR = 3600.0
ERROR = RunError(code="x", message="x")
OUTCOMES: list[Callable[[str], Outcome]] = [
    lambda text: Succeeded(reply=Reply(content=text)),
    lambda _: Failed(error=ERROR),
    lambda text: Failed(error=ERROR, partial=Reply(content=text)),
    lambda _: Retrying(seconds=HOUR / 2, error=ERROR),
    lambda _: Paused(approvals=(Approval(call_id="1", tool="pay", arguments=None),)),
    lambda _: GivenBack(),
]
any_run = st.integers(0, 3)


class Policies(RuleBasedStateMachine):
    """One session; an hour is the only time that passes, half of one is never a tie."""

    def __init__(self, house: House, until: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
        super().__init__()
        self.house = house
        self.platform = house.platform
        self._until = until
        self.now = 0
        self.count = 0
        self.line: Conversation
        self.worker: WorkerId

    def until(self, work: Coroutine[Any, Any, T]) -> T:
        result: T = self._until(work)
        return result

    @initialize()
    def begin(self) -> None:
        self.line = Conversation(self.until(self.house.session("historian")))
        self.worker = self.until(self.house.worker())

    def pick(self, run: int) -> Run | None:
        newest = [*self.line.runs, *self.line.beside][-4:]
        return newest[run] if run < len(newest) else None

    def text(self) -> str:
        self.count += 1
        return str(self.count)

    def post(self, content: str, **more: Any) -> Accepted:  # noqa: ANN401
        return self.until(self.house.post(self.line.session, content, **more))

    @rule(on_busy=st.sampled_from(OnBusy))
    def says(self, on_busy: OnBusy) -> None:
        self._says(on_busy, 0)

    @rule(priority=st.integers(0, 1))
    def says_more(self, priority: int) -> None:
        self._says(OnBusy.COALESCE, priority)

    def _says(self, on_busy: OnBusy, priority: int) -> None:
        content = self.text()
        partner, refusal = self.line.partner(on_busy, priority), self.line.refusal(on_busy)
        if partner is None and refusal is not None:
            with pytest.raises(InturnError) as raised:
                self.post(content, on_busy=on_busy, priority=priority)
            assert raised.value.code == refusal
            return
        accepted = self.post(content, on_busy=on_busy, priority=priority)
        gone = self.line.clear(on_busy)
        assert accepted.cancelled_runs == tuple(run.id for run in gone)
        assert accepted.told_runs == tuple(run.id for run in gone if run.status is R)
        assert (partner is not None) == (accepted.run.message_ids[0] != accepted.message.id)
        run = partner or Run(accepted.run.id, on_busy, priority)
        self.line.post(Said(accepted.message.id, content, run), run)

    @rule(in_hours=st.sampled_from([0, 1, 2]), left=st.sampled_from([None, 1, 2]))
    def says_for_later(self, in_hours: int, left: int | None) -> None:
        if self.line.depth >= 5:
            return
        content, due = self.text(), None
        more: dict[str, Any] = {}
        if in_hours:
            due = more["not_before"] = self.until(self.house.at((in_hours - 0.5) * HOUR))
        if left is not None:
            more["deadline"] = self.until(self.house.at((in_hours + left - 0.2) * HOUR))
        accepted = self.post(content, **more)
        deadline = None if left is None else self.now + in_hours + left
        run = Run(accepted.run.id, due=due, deadline=deadline)
        self.line.post(Said(accepted.message.id, content, run), run)

    @rule(run=any_run)
    def claim(self, run: int) -> None:
        self._claim(self.pick(run))

    @rule()
    def claim_the_head(self) -> None:
        self._claim(self.line.head)

    def _claim(self, run: Run | None) -> None:
        if run is None or run.status is R:
            return
        result = self.until(self.platform.execution.claim(self.worker, run.id))
        if run is not self.line.head or run.status is not Q or run.paused_for is not None:
            assert result is Refusal.NOT_CLAIMABLE
            return
        assert isinstance(result, Claim)
        run.status, run.claim, run.started = R, result, True
        assignment = self.until(self.platform.execution.load(result))
        assert [m.content for m in assignment.messages] == self.line.inputs(run)
        shown = [(m.content, m.interrupted) for m in assignment.context]
        assert shown == self.line.prompt(run)

    @rule(outcome=st.sampled_from(OUTCOMES))
    def settle(self, outcome: Callable[[str], Outcome]) -> None:
        run = self.line.live
        if run is None or run.claim is None:
            return
        ends = outcome(self.text())
        settled = self.until(self.house.settle(run.claim, ends))
        run.leave(ends, self.now)
        assert (settled.accepted, settled.status) == (True, run.status)
        reply = getattr(ends, "reply", None) or getattr(ends, "partial", None)
        if reply is not None:
            whole = run.status is RunStatus.SUCCEEDED
            self.line.said.append(Said(None, reply.content, run, interrupted=not whole))

    @rule(run=any_run)
    def cancel(self, run: int) -> None:
        if (model := self.pick(run)) is not None:
            self.until(self.platform.runs.cancel(self.house.me, model.id, reason=None))
            self.line.cancel(model)

    @rule(run=any_run)
    def retry(self, run: int) -> None:
        model = self.pick(run)
        if model is None or self.line.depth >= 5:
            return
        work = self.platform.runs.retry(self.house.me, model.id, correlation_id="c")
        if model.status in {RunStatus.FAILED, RunStatus.CANCELLED}:
            self.line.retry(model, Run(self.until(work).id), self.now)
            return
        with pytest.raises(NotRetryable):
            self.until(work)

    @rule(run=any_run)
    def resume(self, run: int) -> None:
        if (model := self.pick(run)) is None:
            return
        decisions = (Decision(call_id="1", approved=True),)
        work = self.platform.runs.resume(self.house.me, model.id, decisions)
        if model.status is W:
            self.until(work)
            model.status = Q
            return
        with pytest.raises(NotWaiting):
            self.until(work)

    @rule()
    def an_hour_passes(self) -> None:
        self.house.wait(HOUR)
        self.now += 1
        self.until(self.platform.upkeep.due())
        self.line.pass_(self.now, self.until(self.house.at(0)))

    @invariant()
    def the_store_agrees(self) -> None:
        self.until(self._compare())

    async def _compare(self) -> None:
        line, house = self.line, self.house
        seen = await house.look(line.session)
        live = line.live
        assert (seen.queue_depth, seen.scheduled_depth) == (line.depth, len(line.beside))
        assert (seen.active_run and seen.active_run.id) == (live and live.id)
        assert seen.message_count == len(line.said)
        said = [(m.content, m.interrupted) for m in await house.messages(line.session)]
        assert said == [(m.content, m.interrupted) for m in line.said]
        query = sa.select(runs).where(runs.c.session_id == seen.id).order_by(runs.c.seq)
        rows = await house.rows(query)
        stored = [(r.id, r.status, r.in_context) for r in rows if r.seq is not None]
        assert stored == [(r.id, r.status, r.in_context) for r in line.runs]
        assert {r.id for r in rows if r.seq is None} == {r.id for r in line.beside}
        assert await house.findings() == []

    def teardown(self) -> None:
        """Whatever happened, everything ends, and nothing that was accepted is lost."""
        while self.line.head is not None or self.line.beside:
            self.an_hour_passes()
            if (head := self.line.head) is None:
                continue
            if head.status is W:
                self.cancel_it(head)
            elif head.status is Q and head.paused_for is None:
                self._claim(head)
            self.settle(OUTCOMES[0])
        self.the_store_agrees()
        given = self.until(self.house.rows(sa.select(run_inputs)))
        kept = {(row.run_id, row.message_id) for row in given}
        for message in [*self.line.said, *self.line.unplaced]:
            assert message.given or message.id is None  # an answer
            assert all(run.over and (run.id, message.id) in kept for run in message.given)

    def cancel_it(self, run: Run) -> None:
        self.until(self.platform.runs.cancel(self.house.me, run.id, reason=None))
        self.line.cancel(run)


def test_any_conversation_is_what_the_policies_say_on_sqlite(
    sqlite_rows: str, tmp_path: Path
) -> None:
    check(Policies, sqlite_rows, tmp_path, examples=15, steps=40)


def test_any_conversation_is_what_the_policies_say_on_postgres(
    postgres_rows: str, tmp_path: Path
) -> None:
    check(Policies, postgres_rows, tmp_path, examples=6, steps=30)
