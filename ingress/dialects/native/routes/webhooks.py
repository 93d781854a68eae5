"""Webhooks: who wants to hear of what, and what was sent."""

from functools import partial

from fastapi import APIRouter
from starlette.responses import Response

from ingress.call import Call
from ingress.deps import Queried
from ingress.dialects.native.describe import problems
from ingress.dialects.native.wire.fields import Command
from ingress.dialects.native.wire.paging import ListOf, NewestFirst, from_listing
from ingress.dialects.native.wire.webhook import (
    DeliveriesQuery,
    Delivery,
    DeliveryPath,
    MaybeCallbacksPath,
    NewWebhook,
    SecretRotation,
    ShownSecret,
    ShownWebhook,
    Webhook,
    WebhookChange,
    WebhookPath,
    from_delivery,
    from_rotated,
    from_webhook,
    webhook_location,
)
from ingress.fields import answer
from ingress.idempotency import as_answer, once, respond
from ingress.route import StrictRoute
from shared.domain import webhook as domain
from shared.domain.idempotency import Answer
from shared.ids import WebhookId

router = APIRouter(prefix="/v1/webhooks", route_class=StrictRoute, tags=["webhooks"])

NO_STORE = {"Cache-Control": "no-store"}


@router.post(
    "",
    summary="Subscribe",
    status_code=201,
    response_model=ShownWebhook,
    responses=problems(403, 409),
)
async def create_webhook(call: Call, body: NewWebhook) -> Response:
    """Post events to a URL, signed as Standard Webhooks prescribes; `Location` is the webhook.

    It hears of what the caller may see: of its own sessions with a key of scope user, of its whole
    tenant's with any other. Its `secret` is shown now and never again: null to whoever asks again.
    Each event is delivered at least once, with the same `webhook-id` each time.
    """
    call.correlate(body.correlation_id)
    made = await call.platform.webhooks.create_once(
        call.principal, body.to_domain(), once(call, _made)
    )
    response = respond(made, partial(_made, shown=True))
    response.headers.update(NO_STORE)
    return response


def _made(made: tuple[domain.Webhook, str], *, shown: bool = False) -> Answer:
    webhook, secret = made
    body = {**from_webhook(webhook), "secret": secret if shown else None}
    return as_answer(body, 201, webhook_location(webhook.id))


@router.get("", summary="List webhooks", response_model=ListOf[Webhook])
async def list_webhooks(call: Call, query: Queried[NewestFirst]) -> Response:
    """List the caller's own."""
    listing = await call.platform.webhooks.list(call.principal, query.page())
    return answer(from_listing(listing.map(from_webhook)))


@router.get(
    "/{webhook_id}", summary="Read a webhook", response_model=Webhook, responses=problems(404)
)
async def get_webhook(call: Call, webhook_id: WebhookPath) -> Response:
    return answer(from_webhook(await call.platform.webhooks.get(call.principal, webhook_id)))


@router.patch(
    "/{webhook_id}", summary="Change a webhook", response_model=Webhook, responses=problems(404)
)
async def change_webhook(call: Call, webhook_id: WebhookPath, body: WebhookChange) -> Response:
    """Change what is given. What is still to be delivered goes to the new URL.

    While it is disabled nothing is sent to it, and what happens then is never sent.
    """
    call.correlate(body.correlation_id)
    change = body.to_domain()
    webhook = await call.platform.webhooks.change(call.principal, webhook_id, change)
    return answer(from_webhook(webhook))


@router.delete(
    "/{webhook_id}", summary="Delete a webhook", status_code=204, responses=problems(404)
)
async def delete_webhook(call: Call, webhook_id: WebhookPath) -> Response:
    """Unsubscribe: nothing more is sent."""
    await call.platform.webhooks.delete(call.principal, webhook_id)
    return Response(status_code=204)


@router.post(
    "/{webhook_id}/rotate",
    summary="Rotate a secret",
    response_model=ShownSecret,
    responses=problems(404),
)
async def rotate_secret(
    call: Call, webhook_id: MaybeCallbacksPath, body: SecretRotation | None = None
) -> Response:
    """Sign with a new secret, shown like a new webhook's.

    For `overlap_seconds` the one before it signs too: two signatures, separated by a space.
    Callbacks are signed from the first on; the first rotation shows a secret to check them with.
    """
    rotation = body or SecretRotation()
    call.correlate(rotation.correlation_id)
    rotated = await call.platform.webhooks.rotate_once(
        call.principal,
        webhook_id,
        overlap_seconds=rotation.overlap_seconds,
        idempotency=once(call, partial(_rotated, webhook_id)),
    )
    response = respond(rotated, partial(_rotated, webhook_id, shown=True))
    response.headers.update(NO_STORE)
    return response


def _rotated(
    webhook_id: WebhookId | None, rotated: domain.Rotated, *, shown: bool = False
) -> Answer:
    body = from_rotated(webhook_id, rotated)
    return as_answer(body if shown else {**body, "secret": None}, 200)


@router.get(
    "/{webhook_id}/deliveries",
    summary="List deliveries",
    response_model=ListOf[Delivery],
    responses=problems(404),
)
async def list_deliveries(
    call: Call, webhook_id: MaybeCallbacksPath, query: Queried[DeliveriesQuery]
) -> Response:
    """List what was sent or is to be sent, each with every attempt at it."""
    listing = await call.platform.webhooks.deliveries(
        call.principal, webhook_id, query.filters(), query.page()
    )
    return answer(from_listing(listing.map(from_delivery)))


@router.post(
    "/{webhook_id}/deliveries/{delivery_id}/redeliver",
    summary="Deliver again",
    status_code=202,
    response_model=Delivery,
    responses=problems(404, 409),
)
async def redeliver(
    call: Call,
    webhook_id: MaybeCallbacksPath,
    delivery_id: DeliveryPath,
    body: Command | None = None,
) -> Response:
    """Send it once more, whatever became of it: the same id and body, and all its attempts."""
    call.correlate(body.correlation_id if body else None)
    again = await call.platform.webhooks.redeliver_once(
        call.principal, webhook_id, delivery_id, once(call, _redelivered)
    )
    return respond(again, _redelivered)


def _redelivered(delivery: domain.Delivery) -> Answer:
    return as_answer(from_delivery(delivery), 202)
