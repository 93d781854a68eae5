"""A short run tells nothing by itself; a long one tells what it said, once, as it comes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from shared.clock import after
from shared.domain.errors import Unavailable
from shared.domain.event import NewEvent
from shared.domain.message import Reply, ToolCall
from tests.unit.workshop import (
    NOON,
    FakeExecution,
    Flight,
    a_claim,
)
from workers import telling as module
from workers.agents.progress import Progress
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
