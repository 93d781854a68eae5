"""From how an attempt ended to what is written: the pure decision."""

import asyncio
import dataclasses
from collections.abc import Callable
from enum import Enum
from typing import TypeAlias

from shared.domain.execution import Claim
from shared.domain.message import Reply
from shared.domain.outcome import (
    Cancelled,
    Deferred,
    GivenBack,
    Outcome,
    Paused,
    Succeeded,
    decide_failure,
)
from shared.domain.retry import RetryPolicy
from shared.domain.run import ErrorCode, RunError
from workers.agents.base import Defer, NonRetryable, Pause

MAX_MESSAGE_CHARS = 2_000


class Stop(Enum):
    """Why an attempt ends before its agent does."""

    CANCEL = "cancel"  # somebody asked for it
    GIVE_BACK = "give_back"  # this worker is leaving
    CHARGE = "charge"  # this run blocked the agents' loop
    ABORT = "abort"  # the run is not ours any more: write nothing
    TIMEOUT = "timeout"


Ending: TypeAlias = Reply | BaseException | Stop


def decide(
    ending: Ending,
    *,
    claim: Claim,
    policy: RetryPolicy,
    text: str,
    uniform: Callable[[float, float], float],
) -> Outcome | None:
    """Decide what to settle with, or None: nothing.

    `text` is what the agent had said; `policy` gives the backoff, the claim the attempts.
    """
    partial = Reply(content=text) if text else None
    match ending:
        case Reply():
            return Succeeded(reply=ending)
        case Stop.ABORT:
            return None
        case Stop.CANCEL:
            return Cancelled(partial=partial)
        case Stop.GIVE_BACK:
            return GivenBack()
        case Stop.CHARGE:
            return GivenBack(lost=True)
        case Pause():
            return Paused(approvals=ending.approvals)
        case Defer():
            return Deferred(seconds=max(0.0, float(ending.seconds)), why=str(ending.why))
    return decide_failure(
        _error(ending),
        attempt=claim.attempt,
        policy=dataclasses.replace(policy, max_attempts=claim.max_attempts),
        uniform=uniform,
        partial=partial,
    )


def _error(ending: BaseException | Stop) -> RunError:
    match ending:
        case Stop():
            text = "The run took longer than its time limit."
            return RunError(code=ErrorCode.RUN_TIMEOUT, message=text, retryable=True)
        case NonRetryable():
            return RunError(code=str(ending.code), message=_cut(ending.message))
        case asyncio.CancelledError():
            text = "The agent cancelled itself."
        case _:
            text = _cut(f"{type(ending).__name__}: {ending}")
    return RunError(code=ErrorCode.AGENT_ERROR, message=text, retryable=True)


def _cut(message: str) -> str:
    return str(message)[:MAX_MESSAGE_CHARS]
