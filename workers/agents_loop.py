"""The agents' loop, in a thread of its own: a blocking agent stalls neither claims nor HTTP."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary

import structlog

from shared.domain.message import Reply
from shared.ids import RunId

log = structlog.get_logger(__name__)

Answer: TypeAlias = Reply | BaseException
Work: TypeAlias = Callable[[], Coroutine[Any, Any, Reply]]

_performing: ContextVar[RunId | None] = ContextVar("performing", default=None)


class Performance:
    """A run being performed, seen from the house loop; `ended` once nothing of it runs."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.ended: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._house = asyncio.get_running_loop()
        self._loop = loop
        self._task: asyncio.Task[Reply] | None = None

    def cancel(self) -> None:
        """Ask the agent to stop."""
        self._loop.call_soon_threadsafe(self._cancel)

    def begin(self, run_id: RunId, work: Work) -> None:
        """Start; runs on the agents' loop."""
        _performing.set(run_id)
        self._task = self._loop.create_task(_contained(work))
        self._task.add_done_callback(self._finish)

    def _cancel(self) -> None:
        if self._task:
            self._task.cancel()

    def _finish(self, task: asyncio.Task[Reply]) -> None:
        answer = _answer(task)
        with contextlib.suppress(RuntimeError):  # the house is closed: nobody is waiting
            self._house.call_soon_threadsafe(self._tell, answer)

    def _tell(self, answer: Answer) -> None:
        if not self.ended.done():
            self.ended.set_result(answer)


class AgentsLoop:
    """An event loop in a daemon thread, which knows whose task it is executing."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.loop.set_task_factory(self._create_task)
        self._runs: WeakKeyDictionary[asyncio.Task[Any], RunId] = WeakKeyDictionary()
        self._stopping = False
        self._thread = threading.Thread(target=self._live, name="agents-loop", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def perform(self, run_id: RunId, work: Work) -> Performance:
        """Start `work` there; call from the house loop."""
        performance = Performance(self.loop)
        self.loop.call_soon_threadsafe(performance.begin, run_id, work)
        return performance

    def executing(self) -> RunId | None:
        """Return the run whose task, or whose child task, has the loop right now."""
        task = asyncio.current_task(self.loop)
        return self._runs.get(task) if task else None

    def stop(self, seconds: float) -> None:
        """End the thread, if it lets go of its task in time; it is a daemon in any case."""
        self._stopping = True
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(seconds)
        if not self._thread.is_alive():
            self.loop.close()

    def _live(self) -> None:
        asyncio.set_event_loop(self.loop)
        while not self._stopping:
            try:
                self.loop.run_forever()
            except BaseException as error:  # noqa: BLE001  # SystemExit of an agent's own task
                log.warning("agents_loop_interrupted", error=repr(error))

    def _create_task(
        self,
        loop: asyncio.AbstractEventLoop,
        coro: Any,  # noqa: ANN401  # asyncio's signature
        **options: Any,  # noqa: ANN401  # the same
    ) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.Task(coro, loop=loop, **options)
        if run_id := _performing.get():
            self._runs[task] = run_id
        return task


async def _contained(work: Work) -> Reply:
    try:
        return await work()
    except (SystemExit, KeyboardInterrupt) as error:
        # asyncio would let these end the loop, and every other run with it.
        message = f"{type(error).__name__}: {error}"
        raise RuntimeError(message) from error


def _answer(task: asyncio.Task[Reply]) -> Answer:
    if task.cancelled():
        return asyncio.CancelledError()
    return task.exception() or task.result()
