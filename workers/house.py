"""The house loop of a Dramatiq child, in a thread: the main thread belongs to Dramatiq."""

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any

import structlog
import uvloop
from dramatiq import Broker, Middleware, Worker

from shared.bootstrap import open_platform
from shared.settings import Settings
from workers.attempt import GRACE_SECONDS
from workers.child import Child
from workers.health import serve_health
from workers.runtime import CLOSE_SECONDS, DELIVER_SECONDS, WorkerRuntime

log = structlog.get_logger(__name__)

# A drain's own bounds: consumers, claims, give-backs, webhooks under way and retirement, beside
# the runs' deadline.
DRAIN_MARGIN_SECONDS = 4 * CLOSE_SECONDS + GRACE_SECONDS + DELIVER_SECONDS


class House:
    """Opens the platform and a worker on a loop of its own, and closes them again."""

    def __init__(self, settings: Settings, child: Child) -> None:
        self._settings = settings
        self._child = child
        self._opened: Future[tuple[asyncio.AbstractEventLoop, WorkerRuntime, Broker]] = Future()
        self._closing = asyncio.Event()
        self._thread = threading.Thread(target=self._live, name="house", daemon=True)

    def open(self) -> Broker:
        """Start, and return the broker to consume from. Raises what stood in the way."""
        self._thread.start()
        _, _, broker = self._opened.result()
        return broker

    def adopt(self, worker: Worker) -> None:
        """Tell the worker whose consumers to close."""
        _, runtime, _ = self._opened.result()
        runtime.adopt(worker)

    def drain(self) -> None:
        """Drain and wait for it, no longer than it may take."""
        _, runtime, _ = self._opened.result()
        bound = self._settings.drain_seconds + DRAIN_MARGIN_SECONDS
        try:
            self._do(runtime.drain()).result(bound)
        except TimeoutError:
            log.warning("drain_given_up", seconds=bound)

    def close(self) -> None:
        """End the worker and the platform."""
        loop, _, _ = self._opened.result()
        loop.call_soon_threadsafe(self._closing.set)
        self._thread.join(2 * CLOSE_SECONDS)

    def _do(self, work: Coroutine[Any, Any, None]) -> Future[None]:
        loop, _, _ = self._opened.result()
        return asyncio.run_coroutine_threadsafe(work, loop)

    def _live(self) -> None:
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self._keep())
        except BaseException as error:  # it belongs to who waits for `open`
            if self._opened.done():
                log.exception("house_fell", error=repr(error))
            else:
                self._opened.set_exception(error)

    async def _keep(self) -> None:
        settings = self._settings
        port = settings.metrics_port and settings.metrics_port + self._child.number
        async with open_platform(settings) as platform:
            runtime = WorkerRuntime(platform, pools=self._child.pools)
            await runtime.start()
            async with serve_health(platform.operations.ready, settings.host, port):
                self._opened.set_result((asyncio.get_running_loop(), runtime, platform.broker))
                await self._closing.wait()
            await runtime.stop()


class Housekeeping(Middleware):
    """Ties Dramatiq's life to the house's."""

    def __init__(self, house: House) -> None:
        self._house = house

    def before_worker_boot(self, _broker: Broker, worker: Worker) -> None:
        """Remember whose consumers to close."""
        self._house.adopt(worker)

    def before_worker_shutdown(self, _broker: Broker, _worker: Worker) -> None:
        """Drain while Dramatiq's threads and connections still stand."""
        self._house.drain()

    def after_worker_shutdown(self, _broker: Broker, _worker: Worker) -> None:
        """Close the house when nobody needs it any more."""
        self._house.close()
