# ruff: noqa: ARG002 - a fake has the signatures of what it stands for
"""What a worker stands on, in memory: a store that answers as told, and time that flies."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from shared.clock import Instant
from shared.domain.agent import Agent, AgentKind, AgentLimits, agent_id_of
from shared.domain.execution import (
    Append,
    Assignment,
    Claim,
    Held,
    NewWorker,
    Refusal,
    Settled,
    Settlement,
)
from shared.domain.jsontypes import JsonObject
from shared.domain.message import Content, Message, Role
from shared.domain.retry import RetryPolicy
from shared.domain.run import Approval, RunStatus
from shared.ids import AgentId, MessageId, RunId, SessionId, WorkerId, new_id
from workers.agents.base import AgentContext, Progress
from workers.timing import Timing

NOON = Instant(1_700_000_000_000_000)


@dataclass
class Flight:
    """Time that passes only when somebody sleeps."""

    now: float = 1000.0
    slept: list[float] = field(default_factory=list)

    def timing(self) -> Timing:
        return Timing(monotonic=lambda: self.now, sleep=self.sleep, uniform=lambda _, most: most)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += max(0.0, seconds)
        await asyncio.sleep(0)


@dataclass
class FakeExecution:
    """Remembers what it was asked; answers from lists, whose exceptions it raises."""

    assignment: Assignment | None = None
    answers: dict[str, list[object]] = field(default_factory=dict)
    appends: list[Append] = field(default_factory=list)
    settlements: list[Settlement] = field(default_factory=list)
    claimed: list[RunId] = field(default_factory=list)
    handed_back: list[tuple[RunId, float]] = field(default_factory=list)
    free: list[int] = field(default_factory=list)
    rows: list[Held] = field(default_factory=list)
    running: dict[RunId, Claim] = field(default_factory=dict)
    others: bool = False
    retired: bool = False

    def _next(self, verb: str) -> object:
        planned = self.answers.get(verb)
        answer = planned.pop(0) if planned else None
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def register(self, worker: NewWorker) -> None:
        self._next("register")

    async def beat(self, worker_id: WorkerId, free_slots: int) -> bool:
        self.free.append(free_slots)
        return self._next("beat") is not False

    async def claim(self, worker_id: WorkerId, run_id: RunId) -> Claim | Refusal:
        answer = self._next("claim")
        self.claimed.append(run_id)
        if isinstance(answer, Refusal):
            return answer
        self.running[run_id] = answer if isinstance(answer, Claim) else a_claim(run_id)
        return self.running[run_id]

    async def load(self, claim: Claim) -> Assignment:
        self._next("load")
        assert self.assignment
        return self.assignment

    async def append(self, append: Append) -> bool:
        self.appends.append(append)
        return self._next("append") is not False

    async def settle(self, settlement: Settlement) -> Settled:
        answer = self._next("settle")
        self.settlements.append(settlement)
        self.running.pop(settlement.run_id, None)
        accepted = answer is not False
        return Settled(run_id=settlement.run_id, accepted=accepted, status=RunStatus.SUCCEEDED)

    async def hand_back(self, run_id: RunId, *, seconds: float) -> None:
        self._next("hand_back")
        self.handed_back.append((run_id, seconds))

    async def held(self, worker_id: WorkerId) -> list[Held]:
        self._next("held")
        return self.rows + [
            Held(
                run_id=claim.run_id,
                session_id=claim.session_id,
                fence=claim.fence,
                cancel_requested=False,
            )
            for claim in self.running.values()
        ]

    async def others_free(self, worker_id: WorkerId, pool: str) -> bool:
        self._next("others_free")
        return self.others

    async def retire(self, worker_id: WorkerId) -> None:
        self._next("retire")
        self.retired = True


def a_run_id() -> RunId:
    return RunId(new_id())


def a_claim(run_id: RunId | None = None, *, attempt: int = 1, fence: int = 1) -> Claim:
    return Claim(
        run_id=run_id or a_run_id(),
        session_id=SessionId(new_id()),
        agent_id=AgentId(new_id()),
        pool="default",
        seq=1,
        fence=fence,
        attempt=attempt,
        max_attempts=3,
        losses=0,
        correlation_id="c-1",
        stored_at=NOON,
        claimed_at=NOON,
    )


def a_message(content: Content) -> Message:
    return Message(
        id=MessageId(new_id()),
        session_id=SessionId(new_id()),
        seq=1,
        run_id=None,
        role=Role.USER,
        content=content,
        author_id=None,
        metadata={},
        correlation_id=None,
        created_at=NOON,
    )


def an_agent(
    kind: AgentKind = AgentKind.SCRIPTED,
    *,
    path: str | None = None,
    limits: AgentLimits | None = None,
) -> Agent:
    return Agent(
        id=agent_id_of("someone"),
        name="someone",
        kind=kind,
        pool="default",
        callable=path,
        settings={},
        limits=limits or AgentLimits(),
        retry=RetryPolicy(),
        created_at=NOON,
        updated_at=NOON,
    )


def an_assignment(content: Content, agent: Agent | None = None) -> Assignment:
    return Assignment(agent=agent or an_agent(), context=(), messages=(a_message(content),))


def a_context(
    content: Content = "hello",
    *,
    attempt: int = 1,
    approvals: tuple[Approval, ...] = (),
    settings: JsonObject | None = None,
    progress: Progress | None = None,
) -> AgentContext:
    return AgentContext(
        content=content,
        messages=(a_message(content),),
        inputs={},
        metadata={},
        settings=settings or {},
        session_id=SessionId(new_id()),
        run_id=a_run_id(),
        user_id=None,
        correlation_id="c-1",
        attempt=attempt,
        deadline=0.0,
        approvals=approvals,
        progress=progress or Progress(),
    )


async def eventually(true: Callable[[], bool], *, turns: int = 1_000) -> None:
    """Let the loop turn until it is so."""
    for _ in range(turns):
        if true():
            return
        await asyncio.sleep(0)
    message = "it never came true"
    raise AssertionError(message)


async def within(work: Awaitable[object], seconds: float = 5.0) -> None:
    """Fail a test that would hang, rather than let it."""
    async with asyncio.timeout(seconds):
        await work
