import asyncio
import json
import threading
from typing import Any

import pytest

from inturn.agents import AgentContext
from shared.clock import after
from shared.domain.agent import AgentKind, AgentLimits
from shared.domain.errors import Unavailable, ValidationFailed
from shared.domain.message import Reply
from shared.domain.outcome import (
    Cancelled,
    Failed,
    GivenBack,
    Outcome,
    Retrying,
    Succeeded,
)
from tests.unit.workshop import (
    NOON,
    FakeExecution,
    Flight,
    a_claim,
    an_agent,
    an_assignment,
    eventually,
    within,
)
from workers.agents_loop import AgentsLoop
from workers.attempt import Attempt, Stage
from workers.ending import Stop


def script(*steps: list[Any]) -> str:
    return json.dumps({"do": steps})


async def outcome_of(attempt: Attempt, execution: FakeExecution) -> Outcome:
    await within(attempt.live())
    (settlement,) = execution.settlements
    assert settlement.fence == attempt.claim.fence
    return settlement.outcome


async def test_a_run_is_loaded_performed_and_settled_once(
    stage: Stage, execution: FakeExecution, flight: Flight
) -> None:
    execution.assignment = an_assignment(script(["emit", "hi"]))
    attempt = Attempt(a_claim(), stage)
    flight.now += 2.0
    outcome = await outcome_of(attempt, execution)
    assert outcome == Succeeded(reply=Reply(content="hi"))
    assert execution.settlements[0].first_token_at == after(NOON, 2.0)
    await within(attempt.left())


async def test_several_messages_are_one_content(stage: Stage, execution: FakeExecution) -> None:
    one = an_assignment("a", an_agent(AgentKind.ECHO))
    two = an_assignment([{"type": "text", "text": "b"}])
    execution.assignment = an_assignment("", one.agent)
    object.__setattr__(execution.assignment, "messages", one.messages + two.messages)
    outcome = await outcome_of(Attempt(a_claim(), stage), execution)
    assert outcome == Succeeded(reply=Reply(content="a\nb"))


async def test_what_the_agent_raises_is_retried(stage: Stage, execution: FakeExecution) -> None:
    execution.assignment = an_assignment(script(["raise", "no"]))
    outcome = await outcome_of(Attempt(a_claim(), stage), execution)
    assert isinstance(outcome, Retrying)
    assert outcome.error.message == "ScriptedFailure: no"


async def test_an_unavailable_kind_fails_at_once(stage: Stage, execution: FakeExecution) -> None:
    execution.assignment = an_assignment("x", an_agent(AgentKind.LLM))
    outcome = await outcome_of(Attempt(a_claim(), stage), execution)
    assert isinstance(outcome, Failed)
    assert outcome.error.code == "agent_kind_unavailable"


async def test_a_cancel_keeps_the_text_so_far(
    stage: Stage, execution: FakeExecution, agents_loop: AgentsLoop
) -> None:
    execution.assignment = an_assignment(script(["emit", "so far"], ["sleep", 60]))
    attempt = Attempt(a_claim(), stage)
    living = asyncio.create_task(attempt.live())
    await _performing(attempt, agents_loop)
    attempt.stop(Stop.CANCEL)
    attempt.stop(Stop.ABORT)
    await within(living)
    assert execution.settlements[0].outcome == Cancelled(partial=Reply(content="so far"))


async def _performing(attempt: Attempt, agents_loop: AgentsLoop) -> None:
    """Wait until the agent has come to its first pause."""
    await eventually(lambda: attempt._performance is not None)  # noqa: SLF001
    turned = asyncio.run_coroutine_threadsafe(asyncio.sleep(0), agents_loop.loop)
    await asyncio.wrap_future(turned)
    turned = asyncio.run_coroutine_threadsafe(asyncio.sleep(0), agents_loop.loop)
    await asyncio.wrap_future(turned)


@pytest.mark.parametrize(
    ("why", "outcome"),
    [(Stop.GIVE_BACK, GivenBack()), (Stop.CHARGE, GivenBack(lost=True))],
)
async def test_a_worker_that_leaves_gives_the_run_back(
    stage: Stage, execution: FakeExecution, why: Stop, outcome: Outcome
) -> None:
    execution.assignment = an_assignment(script(["sleep", 60]))
    attempt = Attempt(a_claim(), stage)
    attempt.stop(why)
    assert await outcome_of(attempt, execution) == outcome


async def test_an_aborted_run_writes_nothing(stage: Stage, execution: FakeExecution) -> None:
    execution.assignment = an_assignment(script(["sleep", 60]))
    attempt = Attempt(a_claim(), stage)
    attempt.stop(Stop.ABORT)
    await within(attempt.live())
    assert not execution.settlements


async def test_a_run_is_stopped_at_its_agents_limit(stage: Stage, execution: FakeExecution) -> None:
    agent = an_agent(limits=AgentLimits(run_timeout_seconds=0.01))
    execution.assignment = an_assignment(script(["sleep", 60]), agent)
    outcome = await outcome_of(Attempt(a_claim(), stage), execution)
    assert isinstance(outcome, Retrying)
    assert outcome.error.code == "run_timeout"


async def test_an_answer_that_cannot_be_stored_fails_without_it(
    stage: Stage, execution: FakeExecution
) -> None:
    execution.assignment = an_assignment(script(["emit", "\0"]))
    execution.answers["settle"] = [ValidationFailed.of(("content",), "no NUL")]
    outcome = await outcome_of(Attempt(a_claim(), stage), execution)
    assert isinstance(outcome, Failed)
    assert (outcome.error.code, outcome.partial) == ("internal_error", None)


async def test_a_run_that_cannot_even_fail_is_given_back_as_a_loss(
    stage: Stage, execution: FakeExecution
) -> None:
    execution.assignment = an_assignment(script())
    execution.answers["settle"] = [TypeError("a"), TypeError("b")]
    assert await outcome_of(Attempt(a_claim(), stage), execution) == GivenBack(lost=True)


async def test_the_database_may_come_and_go(
    stage: Stage, execution: FakeExecution, flight: Flight
) -> None:
    execution.assignment = an_assignment(script(["emit", "hi"]))
    execution.answers = {
        "load": [Unavailable("away"), Unavailable("away")],
        "settle": [Unavailable("away"), Unavailable("away"), Unavailable("away")],
    }
    outcome = await outcome_of(Attempt(a_claim(), stage), execution)
    assert outcome == Succeeded(reply=Reply(content="hi"))
    assert flight.slept == [0.1, 0.2, 0.1, 0.2, 0.4]


async def test_a_load_that_fails_is_retried_like_any_failure(
    stage: Stage, execution: FakeExecution
) -> None:
    execution.answers["load"] = [RuntimeError("defect")]
    assert isinstance(await outcome_of(Attempt(a_claim(), stage), execution), Retrying)


async def test_a_stale_settle_is_dropped(stage: Stage, execution: FakeExecution) -> None:
    execution.assignment = an_assignment(script())
    execution.answers["settle"] = [False]
    assert isinstance(await outcome_of(Attempt(a_claim(), stage), execution), Succeeded)


started, leave = threading.Event(), threading.Event()


def stubborn_agent(_: AgentContext) -> str:
    started.set()
    leave.wait(10)
    return "too late"


async def test_a_sync_agent_that_goes_on_keeps_its_slot_and_is_not_heard(
    stage: Stage, execution: FakeExecution, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.attempt.GRACE_SECONDS", 0.01)
    execution.assignment = an_assignment(
        "x", an_agent(AgentKind.PYTHON, path=f"{__name__}:stubborn_agent")
    )
    attempt = Attempt(a_claim(), stage)
    living = asyncio.create_task(attempt.live())
    await asyncio.to_thread(started.wait, 10)
    attempt.stop(Stop.CANCEL)
    await within(living)
    assert execution.settlements[0].outcome == Cancelled(partial=None)
    left = asyncio.create_task(attempt.left())
    await asyncio.sleep(0)
    assert not left.done()
    leave.set()
    await within(left)
    assert len(execution.settlements) == 1


async def test_an_agent_that_would_end_the_interpreter_ends_only_its_run(
    stage: Stage, execution: FakeExecution
) -> None:
    agent = an_agent(AgentKind.PYTHON, path=f"{__name__}:leaving_agent")
    execution.assignment = an_assignment("x", agent)
    assert isinstance(await outcome_of(Attempt(a_claim(), stage), execution), Retrying)
    execution.settlements.clear()
    execution.assignment = an_assignment(script(["emit", "still here"]))
    assert isinstance(await outcome_of(Attempt(a_claim(), stage), execution), Succeeded)


async def leaving_agent(_: AgentContext) -> str:
    raise SystemExit
