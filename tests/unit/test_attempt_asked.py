"""What the message asked for reaches the agent."""

from dataclasses import replace

import pytest

from inturn.agents import AgentContext
from shared.clock import Instant, after
from shared.domain.agent import AgentKind, AgentLimits
from tests.unit.workshop import (
    NOON,
    FakeExecution,
    Flight,
    a_claim,
    an_agent,
    an_assignment,
    within,
)
from workers.attempt import Attempt, Stage

SEEN: list[AgentContext] = []


def remember(ctx: AgentContext) -> str:
    SEEN.append(ctx)
    return "seen"


async def perform(
    stage: Stage, execution: FakeExecution, deadline_at: Instant | None, **options: object
) -> AgentContext:
    agent = an_agent(
        AgentKind.PYTHON,
        path=f"{__name__}:remember",
        limits=AgentLimits(run_timeout_seconds=60),
    )
    execution.assignment = replace(an_assignment("hi", agent), options=options)  # type: ignore[arg-type]
    SEEN.clear()
    await within(Attempt(replace(a_claim(), deadline_at=deadline_at), stage).live())
    [ctx] = SEEN
    return ctx


@pytest.mark.parametrize(
    ("deadline", "left"), [(None, 60.0), (300.0, 60.0), (20.0, 20.0), (0.0, 0.0)]
)
async def test_what_is_left_is_the_less_of_timeout_and_deadline(
    stage: Stage, execution: FakeExecution, flight: Flight, deadline: float | None, left: float
) -> None:
    until = None if deadline is None else after(NOON, deadline)
    ctx = await perform(stage, execution, until)
    assert ctx.remaining() == left
    flight.now += 5
    assert ctx.remaining() == max(0.0, left - 5)


async def test_how_hard_to_think(stage: Stage, execution: FakeExecution) -> None:
    ctx = await perform(stage, execution, None, reasoning={"effort": "low"})
    assert ctx.reasoning_effort == "low"
    assert (await perform(stage, execution, None)).reasoning_effort is None
