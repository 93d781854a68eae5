"""Agents that are somebody's own code."""

import asyncio
import sys
import threading
from collections.abc import AsyncIterator

import pytest

from inturn.agents import AgentContext, NonRetryable, Reply
from tests.unit.workshop import a_context, within
from workers.agents.base import Progress
from workers.agents.python import PythonAgent

HERE = __name__


def sync_agent(ctx: AgentContext) -> str:
    ctx.emit("sync ")
    return f"sync {ctx.content}"


async def async_agent(ctx: AgentContext) -> Reply:
    return Reply(content=f"async {ctx.content}")


async def generator_agent(ctx: AgentContext) -> AsyncIterator[str]:
    yield "gen "
    yield str(ctx.content)


async def last_word_agent(ctx: AgentContext) -> AsyncIterator[str | Reply]:
    yield str(ctx.content)
    yield Reply(reasoning="because")


async def wordy_agent(_: AgentContext) -> AsyncIterator[str | Reply]:
    yield "draft"
    yield Reply(content="final")


class Callable_:  # noqa: N801  # an agent may be an object
    async def __call__(self, ctx: AgentContext) -> str:
        return f"object {ctx.content}"


object_agent = Callable_()
lazy_agent = lambda ctx: async_agent(ctx)  # noqa: E731, PLW0108  # sync, but gives a coroutine
not_an_agent = 7


def number_agent(_: AgentContext) -> int:
    return 7


async def odd_pieces_agent(_: AgentContext) -> AsyncIterator[int]:
    yield 7


def odd_content_agent(_: AgentContext) -> Reply:
    return Reply(content=None)  # type: ignore[arg-type]  # what a careless user does


def stop_iteration_agent(_: AgentContext) -> str:
    raise StopIteration


def leaving_agent(_: AgentContext) -> str:
    sys.exit(3)


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("sync_agent", "sync hi"),
        ("async_agent", "async hi"),
        ("generator_agent", "gen hi"),
        ("wordy_agent", "final"),
        ("object_agent", "object hi"),
        ("lazy_agent", "async hi"),
    ],
)
async def test_a_python_agent_is_sync_async_or_a_generator(name: str, answer: str) -> None:
    reply = await PythonAgent(f"{HERE}:{name}").run(a_context("hi"))
    assert reply.content == answer


async def test_a_generator_emits_each_piece_and_may_end_in_a_reply() -> None:
    progress = Progress()
    agent = PythonAgent(f"{HERE}:last_word_agent")
    reply = await agent.run(a_context("hi", progress=progress))
    assert (reply.content, reply.reasoning, progress.text) == ("hi", "because", "hi")


@pytest.mark.parametrize(
    ("path", "says"),
    [
        (f"{HERE}:number_agent", "returns int; it has to be str or inturn.agents.Reply"),
        (f"{HERE}:odd_pieces_agent", "yields int"),
        (f"{HERE}:odd_content_agent", "whose content is NoneType"),
        (f"{HERE}:not_an_agent", "is not callable"),
        (f"{HERE}:nobody", "Cannot load the agent"),
        ("no_such_module:agent", "Cannot load the agent"),
        ("", "Cannot load the agent"),
    ],
)
async def test_what_is_no_agent_fails_in_a_clear_sentence(path: str, says: str) -> None:
    with pytest.raises(NonRetryable, match=says) as failure:
        await PythonAgent(path).run(a_context())
    assert failure.value.code == "agent_error"


@pytest.mark.parametrize("name", ["stop_iteration_agent", "leaving_agent"])
async def test_an_exception_made_for_the_interpreter_is_an_ordinary_failure(name: str) -> None:
    with pytest.raises((RuntimeError, SystemExit)):
        await PythonAgent(f"{HERE}:{name}").run(a_context())


started, leave = threading.Event(), threading.Event()


def stubborn_agent(ctx: AgentContext) -> str:
    started.set()
    leave.wait(10)
    return f"cancelled: {ctx.cancelled}"


async def test_a_sync_agent_that_is_cancelled_ends_only_when_its_thread_does() -> None:
    task = asyncio.create_task(PythonAgent(f"{HERE}:stubborn_agent").run(a_context()))
    await asyncio.to_thread(started.wait, 10)
    task.cancel()
    for _ in range(10):
        await asyncio.sleep(0)
    assert not task.done()
    leave.set()
    with pytest.raises(asyncio.CancelledError):
        await within(task)
