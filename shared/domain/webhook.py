"""Webhooks: who hears of what, and what becomes of a delivery."""

import base64
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from shared.clock import Instant
from shared.domain.run import RunStatus
from shared.ids import DeliveryId, PrincipalId, RunId, SessionId, WebhookId

MOST_WEBHOOKS = 20  # of one principal

# What a delivery that failed waits for before each next attempt: 12 attempts in a day.
_WAITS = (1, 5, 30, 120, 600, 1800, 3600, 7200, 14400, 21600, 36000)
_JITTER = 0.2  # so that what failed together does not come again together
_MOST_RETRY_AFTER = 6 * 3600
_SECRET_BYTES = 32
_GONE, _TOO_MANY, _UNAVAILABLE = 410, 429, 503


class TargetRefused(OSError):
    """A host that is at an address where nothing may be sent."""


class WebhookEvent(StrEnum):
    """What can be heard of."""

    RUN_SUCCEEDED = "run.succeeded"
    RUN_FAILED = "run.failed"
    RUN_CANCELLED = "run.cancelled"
    RUN_WAITING = "run.waiting"
    SESSION_EXPIRED = "session.expired"


# What is told when a run gets there.
TOLD: dict[RunStatus, WebhookEvent] = {
    RunStatus.SUCCEEDED: WebhookEvent.RUN_SUCCEEDED,
    RunStatus.FAILED: WebhookEvent.RUN_FAILED,
    RunStatus.CANCELLED: WebhookEvent.RUN_CANCELLED,
    RunStatus.WAITING: WebhookEvent.RUN_WAITING,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """A subscription, without its secret, which is shown once.

    `owner_id` says whose sessions it hears of: one user's, or a whole tenant's.
    """

    id: WebhookId
    principal_id: PrincipalId
    owner_id: PrincipalId
    name: str | None
    url: str
    events: tuple[WebhookEvent, ...]
    disabled_at: Instant | None
    created_at: Instant
    updated_at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class NewWebhook:
    """A subscription to make."""

    url: str
    events: tuple[WebhookEvent, ...]
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookChange:
    """What to change; null leaves as it is, an empty name takes the name away."""

    url: str | None = None
    events: tuple[WebhookEvent, ...] | None = None
    name: str | None = None
    enabled: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotated:
    """A new secret, and until when the one before it signs too."""

    secret: str
    old_until: Instant


class DeliveryStatus(StrEnum):
    """What became of it."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """One attempt at a delivery: the status that came back, or what kept it from coming."""

    at: Instant
    milliseconds: int
    status: int | None = None
    error: str | None = None
    answer: str | None = None  # how the body that came back begins


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """An entry of the log; `webhook_id` is null for a message's own `callback_url`."""

    id: DeliveryId
    webhook_id: WebhookId | None
    event: WebhookEvent
    status: DeliveryStatus
    url: str
    run_id: RunId | None
    session_id: SessionId | None
    correlation_id: str | None
    tries: tuple[Try, ...]
    next_at: Instant | None
    created_at: Instant
    ended_at: Instant | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryFilter:
    """Null means any."""

    status: DeliveryStatus | None = None
    run_id: RunId | None = None
    correlation_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """The right to make one attempt, until `held_until`; `secrets` sign it, the newest first."""

    id: DeliveryId
    webhook_id: WebhookId | None
    url: str
    target: str
    body: str
    secrets: tuple[str, ...]
    correlation_id: str | None
    attempt: int
    taken_at: Instant
    held_until: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an attempt came back with."""

    milliseconds: int = 0
    status: int | None = None
    error: str | None = None
    excerpt: str | None = None
    retry_after: float | None = None  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What becomes of the delivery: delivered, due `again` after so many seconds, or neither."""

    delivered: bool = False
    again: float | None = None
    gone: bool = False  # nobody wants to hear any more at this URL


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """An attempt that ended."""

    outgoing: Outgoing
    answer: Answer
    verdict: Verdict


def new_secret() -> str:
    """Make a secret as Standard Webhooks spells it."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def judge(attempt: int, answer: Answer, uniform: Callable[[float, float], float]) -> Verdict:
    """Decide what becomes of a delivery after attempt number `attempt` (from 1).

    `uniform` is `random.uniform`, injected so that tests choose the dice.
    """
    status = answer.status or 0
    if 200 <= status < 300:  # noqa: PLR2004  (what HTTP calls success)
        return Verdict(delivered=True)
    if status == _GONE:
        return Verdict(gone=True)
    if attempt > len(_WAITS):
        return Verdict()
    wait = _WAITS[attempt - 1] * uniform(1 - _JITTER, 1 + _JITTER)
    if status in {_TOO_MANY, _UNAVAILABLE} and answer.retry_after is not None:
        wait = max(wait, min(answer.retry_after, _MOST_RETRY_AFTER))
    return Verdict(again=wait)
