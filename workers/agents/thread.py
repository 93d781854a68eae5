"""Threads for code that blocks.

One thread per call, so that no call waits for another's; the worker's slots bound them. They
are daemons: a call that never returns must not keep the process from ending.
"""

import asyncio
import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


async def in_thread(call: Callable[[], T]) -> T:
    """Run `call` in a thread; return only once it has.

    Nobody can stop a thread: cancelled, this still waits for it, and drops what it returns.
    """
    future: Future[T] = Future()
    context = contextvars.copy_context()
    threading.Thread(
        target=context.run, args=(_run, call, future), name="agent", daemon=True
    ).start()
    returned = asyncio.wrap_future(future)
    try:
        return await asyncio.shield(returned)
    except asyncio.CancelledError:
        await _wait_for(returned)
        raise


async def _wait_for(returned: asyncio.Future[T]) -> None:
    while not returned.done():
        try:
            await asyncio.wait({returned})
        except asyncio.CancelledError:
            continue
    returned.exception()  # seen, so that asyncio does not complain of it


def _run(call: Callable[[], T], future: Future[T]) -> None:
    try:
        future.set_result(call())
    except StopIteration as error:
        future.set_exception(RuntimeError(f"StopIteration: {error}"))  # no future takes the other
    except BaseException as error:  # noqa: BLE001  # SystemExit too is the agent's answer
        future.set_exception(error)
