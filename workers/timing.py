"""The passing of time and the dice, injected so that tests need neither."""

import asyncio
import itertools
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from shared import clock
from shared.domain.errors import Unavailable
from shared.domain.retry import RetryPolicy, backoff

T = TypeVar("T")

_PATIENCE = RetryPolicy(base_seconds=0.1, max_seconds=3.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Seconds on a clock that never jumps, and how to let them pass."""

    monotonic: Callable[[], float] = clock.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    uniform: Callable[[float, float], float] = random.uniform


async def patiently(ask: Callable[[], Awaitable[T]], timing: Timing) -> T:
    """Ask again, with jittered backoff, for as long as the database is away."""
    for attempt in itertools.count(1):
        try:
            return await ask()
        except Unavailable:
            await timing.sleep(backoff(_PATIENCE, attempt, timing.uniform))
    raise AssertionError
