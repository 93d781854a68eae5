"""Dramatiq's side: the actor that takes announcements, and the closing of its consumers.

`process_message` acknowledges when the actor returns; a message that failed is rejected, which
makes it a dead letter.
"""

import asyncio
import concurrent.futures
import contextlib
import threading
import time
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import structlog
from dramatiq import Actor, Broker, Consumer, Middleware, Worker
from dramatiq.broker import MessageProxy
from dramatiq.worker import ConsumerThread

from shared.dispatch.topology import ACTOR_NAME, queue_name
from shared.ids import RunId
from workers.admission import Admission

log = structlog.get_logger(__name__)


class Inbox(Middleware):
    """Carries run ids from Dramatiq's threads to the house loop."""

    def __init__(self, admission: Admission, *, namespace: str, pools: Sequence[str]) -> None:
        self._admission = admission
        self._pools = {queue_name(namespace, pool): pool for pool in pools}
        self._house = asyncio.get_running_loop()
        self._here = threading.local()

    def declare(self, broker: Broker) -> None:
        """Declare the one actor, and a queue for each pool."""
        first, *others = self._pools
        broker.add_middleware(self)
        Actor(
            self.admit,
            broker=broker,
            actor_name=ACTOR_NAME,
            queue_name=first,
            priority=0,
            options={},
        )
        for name in others:
            broker.declare_queue(name)

    def before_process_message(self, _broker: Broker, message: MessageProxy) -> None:
        """Note whose pool this thread works for; what is no run id becomes a dead letter."""
        self._here.pool = self._pools.get(message.queue_name)
        if self._here.pool is None or not _is_run_id(message.args):
            log.error("bad_announcement", message=str(message)[:200])
            message.fail()

    def admit(self, run_id: str) -> None:
        """Wait until the run is claimed, or there is nothing to claim."""
        coroutine = self._admission.admit(RunId(UUID(run_id)), self._here.pool)
        try:
            asyncio.run_coroutine_threadsafe(coroutine, self._house).result()
        except (concurrent.futures.CancelledError, RuntimeError):
            coroutine.close()  # the house is closed, and with it the process ends


class Deaf(Consumer):
    """Takes the place of a closed consumer: its broker has taken everything back."""

    def ack(self, message: MessageProxy) -> None:
        """Nobody listens."""

    def nack(self, message: MessageProxy) -> None:
        """Nobody listens."""

    def requeue(self, messages: Iterable[MessageProxy]) -> None:
        """The broker has them."""


def close_consumers(worker: Worker, seconds: float) -> None:
    """Stop taking announcements, so that the broker gives the unclaimed ones to others.

    Threads that wait for an answer keep waiting; what they acknowledge later goes nowhere.
    """
    deadline = time.monotonic() + seconds
    threads = list(worker.consumers.values())
    for thread in threads:
        thread.stop()
    closers = [threading.Thread(target=_close, args=(each,), daemon=True) for each in threads]
    for closer in closers:
        closer.start()
    for closer in closers:
        closer.join(max(0.0, deadline - time.monotonic()))
    for thread in threads:
        thread.consumer = Deaf()


def _close(thread: ConsumerThread) -> None:
    thread.join()
    with contextlib.suppress(Exception):  # a connection that is gone is as good as closed
        thread.close()


def _is_run_id(args: Sequence[Any]) -> bool:
    try:
        [run_id] = args
        UUID(run_id)
    except (ValueError, TypeError, AttributeError):
        return False
    return True
