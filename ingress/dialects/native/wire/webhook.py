"""Webhooks on the wire: a secret is shown once, by the route that makes it."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import Path
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
)

from ingress.deps import id_schema, reader
from ingress.dialects.native.wire.fields import Body
from ingress.dialects.native.wire.paging import NewestFirst
from ingress.fields import CorrelationId, Name, Timestamp, WebUrl
from shared import ids
from shared.domain import webhook as domain
from shared.domain.jsontypes import JsonObject
from shared.domain.printed import instant, maybe_id
from shared.domain.webhook import DeliveryStatus, WebhookEvent
from shared.ids import DeliveryId, RunId, WebhookId

CALLBACKS = "callbacks"  # stands for a subscription: a principal's own `callback_url`s

MOST_OVERLAP_SECONDS = 7 * 24 * 3600

EventName = Literal[
    "run.succeeded", "run.failed", "run.cancelled", "run.waiting", "session.expired"
]


def _each_once(events: list[str]) -> list[str]:
    if len(set(events)) < len(events):
        message = "names an event twice"
        raise ValueError(message)
    return events


Events = Annotated[
    list[EventName], Field(min_length=1, max_length=len(WebhookEvent)), AfterValidator(_each_once)
]

_read_webhook = reader("hook")


def _webhook_or_callbacks(value: object) -> UUID | None:
    return None if value == CALLBACKS else _read_webhook(value)


WebhookPath = Annotated[WebhookId, BeforeValidator(_read_webhook), id_schema("hook"), Path()]
DeliveryPath = Annotated[
    DeliveryId, BeforeValidator(reader("delivery")), id_schema("delivery"), Path()
]
MaybeCallbacksPath = Annotated[
    WebhookId | None,
    BeforeValidator(_webhook_or_callbacks),
    WithJsonSchema(
        {
            "type": "string",
            "description": "`hook_` and 32 hex digits, or a UUID; or `callbacks`, for what goes "
            "to the `callback_url`s of the caller's own messages.",
            "examples": [CALLBACKS],
        }
    ),
    Path(),
]


class NewWebhook(Body):
    """A subscription to make."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"url": "https://example.org/hook", "events": ["run.succeeded"]}
        }
    )

    url: WebUrl
    events: Events
    name: Name | None = None

    def to_domain(self) -> domain.NewWebhook:
        return domain.NewWebhook(url=self.url, events=_events(self.events), name=self.name)


class WebhookChange(Body):
    """What to change of a subscription; what is left out stays."""

    model_config = ConfigDict(json_schema_extra={"example": {"enabled": True}})

    url: WebUrl = Field(default_factory=str)
    events: Events = Field(default_factory=list)
    name: Name | None = None
    enabled: bool = Field(default_factory=bool)

    def to_domain(self) -> domain.WebhookChange:
        given = self.model_fields_set
        return domain.WebhookChange(
            url=self.url if "url" in given else None,
            events=_events(self.events) if "events" in given else None,
            name=(self.name or "") if "name" in given else None,
            enabled=self.enabled if "enabled" in given else None,
        )


class SecretRotation(Body):
    """How long the secret before signs too."""

    overlap_seconds: Annotated[int, Field(ge=0, le=MOST_OVERLAP_SECONDS)] = 24 * 3600


class Webhook(BaseModel):
    """A subscription, without its secret. A disabled one is sent nothing."""

    id: str
    url: str
    events: list[WebhookEvent]
    name: str | None
    enabled: bool
    disabled_at: Timestamp | None
    created_at: Timestamp
    updated_at: Timestamp


class ShownWebhook(Webhook):
    """A subscription with its secret, which nobody can show again."""

    secret: str | None


class ShownSecret(BaseModel):
    """A new secret, and until when the one before it signs too."""

    id: str
    secret: str | None
    old_secret_until: Timestamp


class DeliveryAttempt(BaseModel):
    """One post: the status that came back, or what kept it from coming."""

    at: Timestamp
    duration_ms: int
    status_code: int | None
    error: str | None
    response: str | None


class Delivery(BaseModel):
    """An event on its way to a subscriber; `id` is its `webhook-id`, the same each time."""

    id: str
    webhook_id: str | None
    event: WebhookEvent
    status: DeliveryStatus
    url: str
    run_id: str | None
    session_id: str | None
    correlation_id: str | None
    attempts: list[DeliveryAttempt]
    next_attempt_at: Timestamp | None
    created_at: Timestamp
    ended_at: Timestamp | None


class DeliveriesQuery(NewestFirst):
    """Which deliveries."""

    status: Literal["pending", "delivered", "failed"] | None = None
    run_id: Annotated[RunId, BeforeValidator(reader("run")), id_schema("run")] | None = None
    correlation_id: CorrelationId | None = None

    def filters(self) -> domain.DeliveryFilter:
        return domain.DeliveryFilter(
            status=DeliveryStatus(self.status) if self.status else None,
            run_id=self.run_id,
            correlation_id=self.correlation_id,
        )


def webhook_location(webhook_id: WebhookId) -> str:
    return f"/v1/webhooks/{ids.spell('hook', webhook_id)}"


def from_webhook(webhook: domain.Webhook) -> JsonObject:
    return {
        "id": ids.spell("hook", webhook.id),
        "url": webhook.url,
        "events": [*webhook.events],
        "name": webhook.name,
        "enabled": webhook.disabled_at is None,
        "disabled_at": instant(webhook.disabled_at),
        "created_at": instant(webhook.created_at),
        "updated_at": instant(webhook.updated_at),
    }


def from_rotated(webhook_id: WebhookId | None, rotated: domain.Rotated) -> JsonObject:
    return {
        "id": maybe_id("hook", webhook_id) or CALLBACKS,
        "secret": rotated.secret,
        "old_secret_until": instant(rotated.old_until),
    }


def from_delivery(delivery: domain.Delivery) -> JsonObject:
    return {
        "id": ids.spell("delivery", delivery.id),
        "webhook_id": maybe_id("hook", delivery.webhook_id),
        "event": delivery.event,
        "status": delivery.status,
        "url": delivery.url,
        "run_id": maybe_id("run", delivery.run_id),
        "session_id": maybe_id("sess", delivery.session_id),
        "correlation_id": delivery.correlation_id,
        "attempts": [_attempt(each) for each in delivery.tries],
        "next_attempt_at": instant(delivery.next_at),
        "created_at": instant(delivery.created_at),
        "ended_at": instant(delivery.ended_at),
    }


def _attempt(tried: domain.Try) -> JsonObject:
    return {
        "at": instant(tried.at),
        "duration_ms": tried.milliseconds,
        "status_code": tried.status,
        "error": tried.error,
        "response": tried.answer,
    }


def _events(names: list[EventName]) -> tuple[WebhookEvent, ...]:
    return tuple(WebhookEvent(name) for name in names)
