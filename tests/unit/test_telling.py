"""A short run tells nothing by itself; a long one tells what it said, once, as it comes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from inturn.agents import AgentContext
from shared.clock import after
from shared.domain.agent import AgentKind
from shared.domain.errors import Unavailable
from shared.domain.event import NewEvent
from shared.domain.message import Reply, ToolCall
from shared.domain.outcome import Failed, Succeeded
from tests.unit.test_attempt import outcome_of, script
from tests.unit.workshop import (
    NOON,
    FakeExecution,
    Flight,
    a_claim,
    an_agent,
    an_assignment,
    within,
)
from workers import telling as module
from workers.agents.progress import Progress
from workers.attempt import Attempt, Stage
from workers.ending import Stop
from workers.telling import Telling

BEGIN = ["run.started", "attempt.started"]


def types(events: tuple[NewEvent, ...]) -> list[str]:
    return [event.type.value for event in events]


def text_of(events: tuple[NewEvent, ...]) -> str:
    return "".join(str(event.data.get("text", "")) for event in events)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TELL_SECONDS", 0.001)
    monkeypatch.setattr(module, "_AWAY_SECONDS", 0.001)


@pytest.fixture
def progress(flight: Flight) -> Progress:
    return Progress(lambda: flight.now)


@pytest.fixture
def telling(progress: Progress, execution: FakeExecution, flight: Flight) -> Telling:
    return Telling(a_claim(), progress, execution, began=flight.now)


@contextlib.asynccontextmanager
async def live(telling: Telling, stale: list[bool] | None = None) -> AsyncIterator[None]:
    task = asyncio.create_task(telling.live(lambda: (stale or []).append(True)))
    yield
    task.cancel()


async def until(execution: FakeExecution, number: int) -> None:
    await told_until(lambda: len(execution.appends) >= number)


async def told_until(true: Callable[[], bool]) -> None:
    """Let ticks pass, as many as it takes."""
    async with asyncio.timeout(5):
        while not true():  # noqa: ASYNC110 - what is told gives no sign
            await asyncio.sleep(0)


async def test_what_was_not_told_is_left_for_the_settle(
    telling: Telling, progress: Progress, flight: Flight
) -> None:
    flight.now += 0.5
    progress.say("a")
    flight.now += 1.0
    progress.think("b")
    progress.say("c")
    telling.close(None)
    said = telling.rest()
    assert said is not None
    assert said.start == 0
    assert types(said.events) == [*BEGIN, "message.delta", "reasoning.delta", "message.delta"]
    assert [event.at for event in said.events] == [
        NOON, NOON, after(NOON, 0.5), after(NOON, 1.5), after(NOON, 1.5),
    ]  # fmt: skip
    message_id = telling.output_id.hex
    assert said.events[2].data == {"message_id": message_id, "index": 0, "text": "a"}
    assert said.events[3].data == {"text": "b"}
    assert said.events[4].data == {"message_id": message_id, "index": 1, "text": "c"}
    assert telling.first_token_at == after(NOON, 0.5)


async def test_a_later_attempt_goes_on_counting(execution: FakeExecution) -> None:
    claim = replace(a_claim(attempt=2), event_count=7)
    said = Telling(claim, Progress(), execution, began=0.0).rest()
    assert said is not None
    assert (said.start, types(said.events)) == (7, ["attempt.started"])


async def test_what_is_said_is_told_as_it_comes(
    telling: Telling, progress: Progress, execution: FakeExecution
) -> None:
    async with live(telling):
        await until(execution, 1)
        progress.say("a")
        await until(execution, 2)
        progress.say("b")
        await until(execution, 3)
    told = [append.said for append in execution.appends]
    assert [said.start for said in told] == [0, 2, 3]
    assert [text_of(said.events) for said in told] == ["", "a", "b"]
    rest = telling.rest()
    assert rest is not None
    assert (rest.start, rest.events) == (4, ())
    assert execution.appends[0].first_token_at is None
    assert execution.appends[1].first_token_at == NOON


async def test_while_the_store_is_away_text_is_joined_and_a_batch_stays_as_it_was(
    telling: Telling, progress: Progress, execution: FakeExecution
) -> None:
    execution.answers["append"] = [Unavailable("away")] * 3
    async with live(telling):
        await until(execution, 2)
        for piece in "abc":
            progress.say(piece)
        await until(execution, 5)
    told = [append.said for append in execution.appends]
    assert told[0] == told[1] == told[2] == told[3]
    assert (told[4].start, len(told[4].events), text_of(told[4].events)) == (2, 1, "abc")


async def test_an_append_without_an_answer_goes_with_the_settle_again(
    telling: Telling, progress: Progress, execution: FakeExecution
) -> None:
    progress.say("a")
    execution.answers["append"] = [Unavailable("away")] * 1000
    async with live(telling):
        await until(execution, 1)
    progress.say("b")
    telling.close(None)
    rest = telling.rest()
    assert rest is not None
    assert rest.start == 0
    assert rest.events[:3] == execution.appends[0].said.events
    assert text_of(rest.events) == "ab"


async def test_a_run_that_is_not_ours_any_more_is_told_of_once(
    telling: Telling, progress: Progress, execution: FakeExecution
) -> None:
    execution.answers["append"] = [False]
    stale: list[bool] = [False]
    async with live(telling, stale):
        await until(execution, 1)
        progress.say("a")
        await told_until(lambda: len(stale) > 1)
    assert stale == [False, True]
    assert len(execution.appends) == 1


async def test_events_that_are_refused_do_not_cost_the_run(
    telling: Telling, progress: Progress, execution: FakeExecution
) -> None:
    execution.answers["append"] = [ValueError("not those")]
    async with live(telling):
        await until(execution, 1)
        progress.say("a")
        await told_until(lambda: telling.rest() is None)
    assert len(execution.appends) == 1


async def test_a_reply_that_cannot_be_told_is_left_to_the_settle(telling: Telling) -> None:
    telling.close(Reply(tool_calls=(ToolCall(call_id="1", name="a", arguments=1 << 70),)))
    said = telling.rest()
    assert said is not None
    assert types(said.events) == BEGIN


async def test_a_short_run_costs_no_write_of_its_own(
    stage: Stage, execution: FakeExecution
) -> None:
    execution.assignment = an_assignment("hi", an_agent(AgentKind.ECHO))
    await outcome_of(Attempt(a_claim(), stage), execution)
    assert execution.appends == []
    [settlement] = execution.settlements
    assert settlement.said is not None
    assert types(settlement.said.events) == [*BEGIN, "message.delta"]
    assert settlement.said.events[2].data["message_id"] == (settlement.output_id or NOON).hex  # type: ignore[union-attr]


def thinker(_: AgentContext) -> Reply:
    return Reply(content="a", reasoning="hm")


async def test_what_only_the_reply_says_goes_with_the_settle(
    stage: Stage, execution: FakeExecution
) -> None:
    agent = an_agent(AgentKind.PYTHON, path=f"{__name__}:thinker")
    execution.assignment = an_assignment("hi", agent)
    await outcome_of(Attempt(a_claim(), stage), execution)
    [settlement] = execution.settlements
    assert settlement.said is not None
    assert types(settlement.said.events) == [*BEGIN, "reasoning.delta"]


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
