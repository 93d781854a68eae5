"""An agent that is somebody's own function: `module:callable` from the agents file."""

import importlib
import inspect
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

from shared.domain.message import Reply
from shared.domain.run import ErrorCode
from workers.agents.base import AgentContext, NonRetryable
from workers.agents.thread import in_thread

Function: TypeAlias = Callable[[AgentContext], Any]


class PythonAgent:
    """Calls a function: sync (in a thread), async, or an async generator of text pieces."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._function: Function | None = None

    async def run(self, ctx: AgentContext) -> Reply:
        """Call it, and make a `Reply` of what it gives."""
        if self._function is None:
            # In a thread: an import runs somebody's code, for as long as that likes.
            self._function = await in_thread(lambda: resolve(self._path))
        answer = await self._call(self._function, ctx)
        if isinstance(answer, AsyncIterator):
            answer = await _collect(answer, ctx)
        return _reply(answer)

    async def _call(self, function: Function, ctx: AgentContext) -> object:
        if _is_async(function):
            answer = function(ctx)
        else:
            answer = await in_thread(lambda: function(ctx))
        return await answer if isinstance(answer, Awaitable) else answer


def resolve(path: str) -> Function:
    """Import `module:callable`, looking in the current folder too.

    Raises NonRetryable: what cannot be imported now cannot be a second later.
    """
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)
    module, _, name = path.partition(":")
    try:
        found: object = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except Exception as error:  # noqa: BLE001  # whatever somebody's module raises
        _broken(f"Cannot load the agent {path!r}: {_said(error)}", error)
    if not callable(found):
        _broken(f"Cannot load the agent {path!r}: it is not callable.")
    return found


async def _collect(pieces: AsyncIterator[object], ctx: AgentContext) -> object:
    """Emit each piece; the answer is all of them, or the `Reply` that ends them."""
    said: list[str] = []
    async for piece in pieces:
        if isinstance(piece, Reply):
            return piece if piece.content else _with_text(piece, "".join(said))
        if not isinstance(piece, str):
            _wrong("yields", piece)
        ctx.emit(piece)
        said.append(piece)
    return "".join(said)


def _with_text(reply: Reply, text: str) -> Reply:
    return Reply(
        content=text,
        tool_calls=reply.tool_calls,
        retrieved_context=reply.retrieved_context,
        citations=reply.citations,
        usage=reply.usage,
        reasoning=reply.reasoning,
    )


def _reply(answer: object) -> Reply:
    if isinstance(answer, str):
        return Reply(content=answer)
    if not isinstance(answer, Reply):
        _wrong("returns", answer)
    content: object = answer.content
    if not isinstance(content, str | list):
        _wrong("returns a Reply whose content is", content)
    return answer


def _is_async(function: Function) -> bool:
    """Whether calling it only makes a coroutine or a generator, and runs none of its code."""
    call = getattr(function, "__call__", function)  # noqa: B004  # an object's own method counts
    return any(
        inspect.iscoroutinefunction(each) or inspect.isasyncgenfunction(each)
        for each in (inspect.unwrap(function), call)
    )


def _wrong(verb: str, value: object) -> NoReturn:
    _broken(f"The agent {verb} {type(value).__name__}; it has to be str or inturn.agents.Reply.")


def _broken(sentence: str, cause: BaseException | None = None) -> NoReturn:
    raise NonRetryable(ErrorCode.AGENT_ERROR, sentence) from cause


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
