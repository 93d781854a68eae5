"""An attempt, from its claim to its one settle."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import structlog

from shared.clock import SECOND
from shared.domain.execution import Assignment, Claim, Settlement
from shared.domain.jsontypes import JsonObject
from shared.domain.message import Content, Message, Reply, plain_text
from shared.domain.outcome import Failed, GivenBack, Outcome
from shared.domain.retry import RetryPolicy
from shared.domain.run import Approval, ErrorCode, RunError
from shared.ids import spell
from workers.agents import Troupe
from workers.agents.base import AgentContext, Defer, NonRetryable, Pause, Progress
from workers.agents_loop import AgentsLoop, Performance
from workers.ending import Ending, Stop, decide
from workers.ports import Execution
from workers.telling import TELL_SECONDS, Telling
from workers.timing import Timing, patiently

log = structlog.get_logger(__name__)

T = TypeVar("T")

# An agent that is asked to stop has this long to unwind before its run settles without it.
GRACE_SECONDS = 1.0

_REFUSED = RunError(
    code=ErrorCode.INTERNAL_ERROR, message="The answer of the agent could not be stored."
)

_UNREADABLE = RunError(
    code=ErrorCode.AGENT_ERROR, message="What the agent raised could not be read."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What every attempt of a process stands on."""

    execution: Execution
    agents_loop: AgentsLoop
    troupe: Troupe
    run_timeout_seconds: float
    timing: Timing


class Attempt:
    """One try at a run: load, perform, decide, settle once."""

    def __init__(self, claim: Claim, stage: Stage) -> None:
        self.claim = claim
        self.settling = False
        self._stage = stage
        self._began = stage.timing.monotonic()
        self._progress = Progress(stage.timing.monotonic)
        self._telling = Telling(claim, self._progress, stage.execution, began=self._began)
        self._policy = RetryPolicy(max_attempts=claim.max_attempts)
        self._performance: Performance | None = None
        self._stop: asyncio.Future[Stop] = asyncio.get_running_loop().create_future()

    def stop(self, why: Stop) -> None:
        """End early; the first reason counts."""
        if not self._stop.done():
            self._stop.set_result(why)

    async def live(self) -> None:
        """See the run through to its settle; every way out of here has written, or must not."""
        with structlog.contextvars.bound_contextvars(
            run_id=spell("run", self.claim.run_id),
            attempt=self.claim.attempt,
            correlation_id=self.claim.correlation_id,
        ):
            ending = await self._end()
            self._telling.close(ending if isinstance(ending, Reply) else None)
            outcome = self._decide(ending)
            self.settling = True
            if outcome:
                await self._settle(outcome)

    async def left(self) -> None:
        """Wait until nothing of the run is executing any more: only then its slot is free."""
        if self._performance:
            await asyncio.wait({self._performance.ended})

    async def _end(self) -> Ending:
        assignment = await self._race(
            patiently(lambda: self._stage.execution.load(self.claim), self._stage.timing)
        )
        if not isinstance(assignment, Assignment):
            return assignment
        self._policy = assignment.agent.retry
        try:
            ending = await self._perform(assignment)
        except NonRetryable as error:
            return error
        if isinstance(ending, Pause):
            return _with_earlier(ending, assignment.approvals)
        return ending

    async def _perform(self, assignment: Assignment) -> Ending:
        agent = self._stage.troupe.find(assignment.agent)
        seconds = assignment.agent.limits.run_timeout_seconds or self._stage.run_timeout_seconds
        ctx = self._context(assignment, seconds)
        self._performance = self._stage.agents_loop.perform(
            self.claim.run_id, lambda: agent.run(ctx)
        )
        ended = self._performance.ended
        await self._tell_until(ended, seconds)
        if ended.done():
            return ended.result()
        self._progress.stopped.set()
        self._performance.cancel()
        await asyncio.wait({ended}, timeout=GRACE_SECONDS)
        return self._stop.result() if self._stop.done() else Stop.TIMEOUT

    async def _tell_until(self, ended: asyncio.Future[Any], seconds: float) -> None:
        """Wait for the end; what takes a while is told as it comes."""
        await _first(ended, self._stop, min(seconds, TELL_SECONDS))
        if ended.done() or self._stop.done():
            return
        live = asyncio.create_task(self._telling.live(lambda: self.stop(Stop.ABORT)))
        try:
            await _first(ended, self._stop, seconds - TELL_SECONDS)
        finally:
            live.cancel()  # what is being written now is written once, however that ends

    def _decide(self, ending: Ending) -> Outcome | None:
        """Decide; what an agent raised is its own code, and asking it for words may raise too."""
        try:
            self._tell(ending)
            return decide(
                ending,
                claim=self.claim,
                policy=self._policy,
                text=self._progress.text,
                uniform=self._stage.timing.uniform,
            )
        except Exception:
            log.exception("ending_unreadable", ending=type(ending).__name__)
            return Failed(error=_UNREADABLE)

    async def _race(self, work: Coroutine[Any, Any, T]) -> T | BaseException | Stop:
        task = asyncio.ensure_future(work)
        await _first(task, self._stop)
        if not task.done():
            task.cancel()
            return self._stop.result()
        return task.exception() or task.result()

    def _context(self, assignment: Assignment, seconds: float) -> AgentContext:
        return AgentContext(
            content=_content(assignment.messages),
            messages=assignment.context + assignment.messages,
            inputs=assignment.inputs,
            metadata=assignment.metadata,
            settings=assignment.agent.settings,
            session_id=self.claim.session_id,
            run_id=self.claim.run_id,
            user_id=assignment.user_id,
            correlation_id=self.claim.correlation_id,
            attempt=self.claim.attempt,
            deadline=self._until(seconds),
            reasoning_effort=_effort(assignment.options),
            approvals=assignment.approvals,
            progress=self._progress,
            monotonic=self._stage.timing.monotonic,
        )

    def _until(self, seconds: float) -> float:
        """Return when time is up: that of the attempt, or the run's own if that is earlier."""
        times_out = self._stage.timing.monotonic() + seconds
        if self.claim.deadline_at is None:
            return times_out
        left = (self.claim.deadline_at - self.claim.claimed_at) / SECOND
        return min(times_out, self._began + left)

    async def _settle(self, outcome: Outcome) -> None:
        """Write it; what is refused for its content is written once more without."""
        settlement = Settlement(
            run_id=self.claim.run_id,
            session_id=self.claim.session_id,
            fence=self.claim.fence,
            outcome=outcome,
            first_token_at=self._telling.first_token_at,
            said=self._telling.rest(),
            output_id=self._telling.output_id,
        )
        for each in (outcome, Failed(error=_REFUSED), GivenBack(lost=True)):
            if await self._write(replace(settlement, outcome=each)):
                return
            settlement = replace(settlement, said=None)
        log.error("attempt_left_to_reconciliation")

    async def _write(self, settlement: Settlement) -> bool:
        """Return whether the store has answered: false if it would not take this outcome."""
        try:
            settled = await patiently(
                lambda: self._stage.execution.settle(settlement), self._stage.timing
            )
        except Exception:
            log.exception("settle_refused", outcome=type(settlement.outcome).__name__)
            return False
        if not settled.accepted:
            log.warning("stale_settle_refused", fence=settlement.fence)
        return True

    def _tell(self, ending: Ending) -> None:
        if isinstance(ending, Pause | Defer):
            log.info("attempt_put_off", why=str(ending))
        elif isinstance(ending, BaseException):
            log.info("attempt_failed", error=f"{type(ending).__name__}: {ending}"[:500])
        elif isinstance(ending, Stop):
            log.info("attempt_stopped", why=ending.value)


def _with_earlier(pause: Pause, earlier: tuple[Approval, ...]) -> Pause:
    """Keep what was decided before, or the next attempt would ask for it again."""
    asked = {approval.call_id for approval in pause.approvals}
    kept = tuple(approval for approval in earlier if approval.call_id not in asked)
    return Pause(kept + tuple(pause.approvals))


async def _first(
    one: asyncio.Future[Any], other: asyncio.Future[Any], seconds: float | None = None
) -> None:
    await asyncio.wait({one, other}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)


def _effort(options: JsonObject) -> str | None:
    reasoning = options.get("reasoning")
    effort = reasoning.get("effort") if isinstance(reasoning, dict) else None
    return None if effort is None else str(effort)


def _content(messages: tuple[Message, ...]) -> Content:
    if len(messages) == 1:
        return messages[0].content
    return "\n".join(plain_text(message.content) for message in messages)
