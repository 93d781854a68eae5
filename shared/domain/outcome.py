"""The value an attempt ends with, and the pure decision that makes it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from shared.domain.message import Reply
from shared.domain.retry import RetryPolicy, backoff
from shared.domain.run import Approval, ErrorCode, RunError


@dataclass(frozen=True, slots=True, kw_only=True)
class Succeeded:
    """The agent answered."""

    reply: Reply


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """No further attempt; `partial` is text to keep, if any."""

    error: RunError
    partial: Reply | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled:
    """Somebody asked for it to stop; the text so far is kept, marked interrupted."""

    partial: Reply | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrying:
    """Another attempt after `seconds`; this one stays charged."""

    seconds: float
    error: RunError


@dataclass(frozen=True, slots=True, kw_only=True)
class Deferred:
    """Not now: again after `seconds`, free of charge."""

    seconds: float
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Paused:
    """A human has to decide first; the slot is freed, the attempt refunded."""

    approvals: tuple[Approval, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenBack:
    """The worker lets go of the run (drain, reconciliation) or was lost with it."""

    lost: bool = False


Outcome: TypeAlias = Succeeded | Failed | Cancelled | Retrying | Deferred | Paused | GivenBack


def decide_failure(
    error: RunError,
    *,
    attempt: int,
    policy: RetryPolicy,
    uniform: Callable[[float, float], float],
    partial: Reply | None = None,
) -> Failed | Retrying:
    """Retry what may pass, until the policy's attempts are used up."""
    if not error.retryable:
        return Failed(error=error, partial=partial)
    if attempt < policy.max_attempts:
        return Retrying(seconds=backoff(policy, attempt, uniform), error=error)
    if error.code == ErrorCode.RUN_TIMEOUT:
        return Failed(error=RunError(code=error.code, message=error.message), partial=partial)
    exhausted = RunError(code=ErrorCode.ATTEMPTS_EXHAUSTED, message=error.message)
    return Failed(error=exhausted, partial=partial)
