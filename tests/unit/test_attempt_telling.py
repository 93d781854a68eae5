"""What an attempt tells: nothing of its own if it is short, all of it if it takes a while."""

import asyncio

import pytest

from inturn.agents import AgentContext
from shared.domain.agent import AgentKind
from shared.domain.message import Reply
from shared.domain.outcome import Failed, Succeeded
from tests.unit.test_attempt import outcome_of, script
from tests.unit.test_telling import BEGIN, told_until, types
from tests.unit.workshop import FakeExecution, a_claim, an_agent, an_assignment, within
from workers import attempt as module
from workers import telling
from workers.attempt import Attempt, Stage
from workers.ending import Stop


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the machine is busy with."""
    monkeypatch.setattr(module, "TELL_SECONDS", 60.0)


@pytest.fixture
def long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TELL_SECONDS", 0.001)
    monkeypatch.setattr(telling, "TELL_SECONDS", 0.001)


@pytest.mark.usefixtures("short")
async def test_a_short_run_costs_no_write_of_its_own(
    stage: Stage, execution: FakeExecution
) -> None:
    execution.assignment = an_assignment("hi", an_agent(AgentKind.ECHO))
    await outcome_of(Attempt(a_claim(), stage), execution)
    assert execution.appends == []
    [settlement] = execution.settlements
    assert settlement.said is not None
    assert types(settlement.said.events) == [*BEGIN, "message.delta"]
    assert settlement.output_id is not None
    assert settlement.said.events[2].data["message_id"] == settlement.output_id.hex


def thinker(_: AgentContext) -> Reply:
    return Reply(content="a", reasoning="hm")


@pytest.mark.usefixtures("short")
async def test_what_only_the_reply_says_goes_with_the_settle(
    stage: Stage, execution: FakeExecution
) -> None:
    agent = an_agent(AgentKind.PYTHON, path=f"{__name__}:thinker")
    execution.assignment = an_assignment("hi", agent)
    await outcome_of(Attempt(a_claim(), stage), execution)
    [settlement] = execution.settlements
    assert settlement.said is not None
    assert types(settlement.said.events) == [*BEGIN, "reasoning.delta"]


@pytest.mark.usefixtures("long")
async def test_a_long_run_is_told_while_it_runs(stage: Stage, execution: FakeExecution) -> None:
    steps = script(["emit", "a"], ["tool", "search", {"q": 1}, 2], ["think", "hm"], ["sleep", 60])
    execution.assignment = an_assignment(steps)
    attempt = Attempt(a_claim(), stage)
    living = asyncio.create_task(attempt.live())
    await told_until(lambda: sum(len(each.said.events) for each in execution.appends) == 6)
    attempt.stop(Stop.CANCEL)
    await within(living)
    told = tuple(event for append in execution.appends for event in append.said.events)
    assert types(told) == [
        *BEGIN, "message.delta", "tool.called", "tool.returned", "reasoning.delta",
    ]  # fmt: skip
    [settlement] = execution.settlements
    assert settlement.said is not None
    assert (settlement.said.start, settlement.said.events) == (6, ())


@pytest.mark.usefixtures("long")
async def test_a_fence_that_is_stale_ends_the_attempt(
    stage: Stage, execution: FakeExecution
) -> None:
    execution.assignment = an_assignment(script(["sleep", 60]))
    execution.answers["append"] = [False]
    await within(Attempt(a_claim(), stage).live())
    assert execution.settlements == []


async def test_an_agent_that_says_too_much_fails(
    stage: Stage, execution: FakeExecution, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.agents.progress.MAX_SAID_CHARS", 3)
    execution.assignment = an_assignment(script(["emit", "ab"], ["emit", "cd"]))
    outcome = await outcome_of(Attempt(a_claim(), stage), execution)
    assert isinstance(outcome, Failed)
    assert (outcome.error.code, outcome.partial) == ("agent_error", Reply(content="ab"))


async def test_without_its_content_a_refused_answer_has_no_events_either(
    stage: Stage, execution: FakeExecution
) -> None:
    execution.assignment = an_assignment(script(["emit", "a"]))
    execution.answers["settle"] = [TypeError("not that")]
    outcome = await outcome_of(Attempt(a_claim(), stage), execution)
    assert not isinstance(outcome, Succeeded)
    assert execution.settlements[0].said is None
