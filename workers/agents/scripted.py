"""An agent that does what the message says, step by step: every fault test is built on it.

The content is JSON: `{"do": [["sleep", 1.0], ["emit", "text"], …], "reply": "…"}`. Without
`reply` the answer is what was emitted. A script that cannot be read fails the run at once.
"""

import asyncio
import json
import os
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import NoReturn, TypeAlias

from shared.domain.jsontypes import Json, JsonObject
from shared.domain.message import Reply, ToolCall, plain_text
from shared.domain.run import Approval
from workers.agents.base import AgentContext, NonRetryable, Pause

BAD_SCRIPT = "bad_script"


class ScriptedFailure(Exception):
    """The script asked for it; retryable, like any error of an agent."""


@dataclass(slots=True)
class Performance:
    """A script being played: what it has gathered for the reply."""

    ctx: AgentContext
    step: int = 0
    tool_calls: list[ToolCall] = field(default_factory=list)
    chunks: list[JsonObject] = field(default_factory=list)
    citations: list[JsonObject] = field(default_factory=list)
    usage: JsonObject | None = None
    thoughts: list[str] = field(default_factory=list)

    def reply(self, content: str | None) -> Reply:
        """Put the answer together."""
        return Reply(
            content=self.ctx.progress.text if content is None else content,
            tool_calls=tuple(self.tool_calls),
            retrieved_context=tuple(self.chunks),
            citations=tuple(self.citations),
            usage=self.usage,
            reasoning="".join(self.thoughts) or None,
        )


class ScriptedAgent:
    """Plays the script in the user's message."""

    async def run(self, ctx: AgentContext) -> Reply:
        """Do each step in order, then reply."""
        steps, reply = _read(plain_text(ctx.content))
        performance = Performance(ctx)
        for performance.step, (act, arguments) in enumerate(steps):
            await act(performance, *arguments)
        return performance.reply(reply)


async def _sleep(_: Performance, seconds: float) -> None:
    await asyncio.sleep(seconds)


async def _emit(performance: Performance, text: str) -> None:
    performance.ctx.emit(text)


async def _fail_times(performance: Performance, times: int) -> None:
    attempt = performance.ctx.attempt
    if attempt <= times:
        message = f"failing {times} times, this is attempt {attempt}"
        raise ScriptedFailure(message)


async def _raise(_: Performance, why: str) -> None:
    raise ScriptedFailure(why)


async def _tool(
    performance: Performance, name: str, arguments: Json = None, result: Json = None
) -> None:
    call = ToolCall(
        call_id=f"tool_{performance.step}",
        name=name,
        arguments=arguments,
        result={} if result is None else result,
    )
    performance.ctx.tool_called(call.call_id, name, arguments)
    performance.ctx.tool_returned(call.call_id, result=call.result)
    performance.tool_calls.append(call)


async def _block(_: Performance, seconds: float) -> None:
    time.sleep(seconds)  # noqa: ASYNC251  # blocking the loop is what this step is for


async def _exit(_: Performance, code: int) -> None:
    os._exit(code)


async def _think(performance: Performance, thought: str) -> None:
    performance.ctx.think(thought)
    performance.thoughts.append(thought)


async def _retrieve(performance: Performance, chunks: list[JsonObject]) -> None:
    if not all(isinstance(chunk, dict) for chunk in chunks):
        _bad(f"step {performance.step}: retrieve takes a list of objects")
    admitted = sum(bool(chunk.get("included_in_context", True)) for chunk in chunks)
    performance.ctx.retrieved(len(chunks), admitted)
    performance.chunks.extend(chunks)


async def _cite(performance: Performance, chunk_ids: list[str]) -> None:
    known = {_chunk_id(chunk): chunk for chunk in performance.chunks}
    for chunk_id in chunk_ids:
        if chunk_id not in known:
            _bad(f"step {performance.step}: no chunk {chunk_id!r} was retrieved")
        key = str(len(performance.citations) + 1)
        performance.citations.append(_citation(key, chunk_id, known[chunk_id]))


async def _usage(performance: Performance, usage: JsonObject) -> None:
    performance.usage = {**(performance.usage or {}), **usage}


async def _approve(performance: Performance, tool: str, arguments: Json = None) -> None:
    """Pause until somebody has decided; the step's number makes its id the same every time.

    A rejection is told as the call's error, and the script goes on: the user of the agent
    said no to the tool, not to an answer.
    """
    call_id = f"approve_{performance.step}"
    decided = {approval.call_id: approval for approval in performance.ctx.approvals}
    approval = decided.get(call_id)
    if approval is None or approval.approved is None:
        raise Pause((Approval(call_id=call_id, tool=tool, arguments=arguments),))
    rejected = None if approval.approved else approval.reason or "rejected"
    performance.tool_calls.append(
        ToolCall(
            call_id=call_id,
            name=tool,
            arguments=arguments,
            result={} if rejected is None else None,
            error=rejected,
        )
    )


def _chunk_id(chunk: JsonObject) -> Json:
    return chunk.get("chunk_id", chunk.get("id"))


def _citation(key: str, chunk_id: str, chunk: JsonObject) -> JsonObject:
    return {
        "key": key,
        "chunk_id": chunk_id,
        "source_id": chunk.get("source_id"),
        "source_name": chunk.get("source_name"),
        "text_excerpt": str(chunk.get("text", ""))[:200],
        "meta": chunk.get("meta", {}),
    }


_Act: TypeAlias = Callable[..., Coroutine[None, None, None]]
_NUMBER = (int, float)
_ANY: tuple[type, ...] = (object,)

# name -> what it does, and the types of its arguments; a trailing one may be left out.
_STEPS: dict[str, tuple[_Act, tuple[tuple[type, ...], ...], int]] = {
    "sleep": (_sleep, (_NUMBER,), 1),
    "emit": (_emit, ((str,),), 1),
    "fail_times": (_fail_times, ((int,),), 1),
    "raise": (_raise, ((str,),), 1),
    "tool": (_tool, ((str,), _ANY, _ANY), 1),
    "block": (_block, (_NUMBER,), 1),
    "exit": (_exit, ((int,),), 1),
    "think": (_think, ((str,),), 1),
    "retrieve": (_retrieve, ((list,),), 1),
    "cite": (_cite, ((list,),), 1),
    "usage": (_usage, ((dict,),), 1),
    "approve": (_approve, ((str,), _ANY), 1),
}


def _read(text: str) -> tuple[list[tuple[_Act, list[Json]]], str | None]:
    """Read the whole script before any of it is played."""
    try:
        script = json.loads(text)
    except (ValueError, RecursionError) as error:
        _bad(f"the content is not JSON: {error}")
    if not isinstance(script, dict) or not isinstance(script.get("do", []), list):
        _bad('the content is not like {"do": [["emit", "text"]], "reply": "text"}')
    if unknown := script.keys() - {"do", "reply"}:
        _bad(f"unknown field {min(unknown)!r}; a script has `do` and `reply`")
    reply = script.get("reply")
    if reply is not None and not isinstance(reply, str):
        _bad("`reply` is a text")
    return [_step(number, step) for number, step in enumerate(script.get("do", []))], reply


def _step(number: int, step: Json) -> tuple[_Act, list[Json]]:
    if not isinstance(step, list) or not step or not isinstance(step[0], str):
        _bad(f'step {number} is not like ["emit", "text"]')
    name, *arguments = step
    if name not in _STEPS:
        _bad(f"step {number}: there is no {name!r}; there are {', '.join(_STEPS)}")
    act, types, least = _STEPS[str(name)]
    fits = least <= len(arguments) <= len(types) and all(
        isinstance(argument, allowed) and not (isinstance(argument, bool) and allowed != _ANY)
        for argument, allowed in zip(arguments, types, strict=False)
    )
    if not fits:
        _bad(f"step {number}: {name} does not take {json.dumps(arguments)[:200]}")
    return act, arguments


def _bad(why: str) -> NoReturn:
    raise NonRetryable(BAD_SCRIPT, f"Bad script: {why}.") from None
