"""When to try again: exponential with full jitter, decided here and written as a due time."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """An agent's patience; seconds."""

    max_attempts: int = 3
    base_seconds: float = 1.0
    max_seconds: float = 60.0


def backoff(policy: RetryPolicy, attempt: int, uniform: Callable[[float, float], float]) -> float:
    """Return seconds to wait after failed attempt number `attempt` (from 1).

    `uniform` is `random.uniform`, injected so that tests choose the dice.
    """
    ceiling = min(policy.max_seconds, policy.base_seconds * 2.0 ** min(attempt - 1, 32))
    return uniform(0.0, ceiling)
