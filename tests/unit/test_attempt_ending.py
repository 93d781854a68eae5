"""What an agent raises: pauses that follow pauses, and what nobody can read."""

from dataclasses import replace

import pytest

from shared.domain.agent import AgentKind
from shared.domain.message import Reply
from shared.domain.outcome import Failed, Paused
from shared.domain.run import Approval
from tests.unit.test_attempt import outcome_of, script
from tests.unit.workshop import FakeExecution, a_claim, an_agent, an_assignment
from workers.agents.base import Defer
from workers.agents.echo import EchoAgent
from workers.attempt import Attempt, Stage


async def test_a_second_pause_keeps_what_was_decided_before(
    stage: Stage, execution: FakeExecution
) -> None:
    decided = Approval(call_id="approve_0", tool="pay", arguments=None, approved=True)
    assignment = an_assignment(script(["approve", "pay"], ["approve", "mail"]))
    execution.assignment = replace(assignment, approvals=(decided,))
    outcome = await outcome_of(Attempt(a_claim(), stage), execution)
    pending = Approval(call_id="approve_1", tool="mail", arguments=None)
    assert outcome == Paused(approvals=(decided, pending))


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise ValueError("no words")


@pytest.mark.parametrize("raised", [Defer(None, "soon"), Unspeakable()])  # type: ignore[arg-type]
async def test_what_cannot_be_read_fails_the_run_rather_than_the_attempt(
    stage: Stage, execution: FakeExecution, monkeypatch: pytest.MonkeyPatch, raised: Exception
) -> None:
    async def run(*_: object) -> Reply:
        raise raised

    monkeypatch.setattr(EchoAgent, "run", run)
    execution.assignment = an_assignment("x", an_agent(AgentKind.ECHO))
    outcome = await outcome_of(Attempt(a_claim(), stage), execution)
    assert isinstance(outcome, Failed)
    assert outcome.error.code == "agent_error"
