"""Webhooks: subscriptions, the secret of callbacks, and the log of what was sent."""

from shared.clock import after
from shared.domain.errors import Forbidden, NotFound, TooManyWebhooks, WebhookDisabled
from shared.domain.idempotency import Idempotency
from shared.domain.paging import Listing, Page
from shared.domain.principal import Principal, Scope
from shared.domain.requests import Replayed
from shared.domain.webhook import (
    MOST_WEBHOOKS,
    Delivery,
    DeliveryFilter,
    NewWebhook,
    Rotated,
    Webhook,
    WebhookChange,
    new_secret,
)
from shared.ids import DeliveryId, WebhookId, new_id
from shared.service.once import once
from shared.service.targets import Targets
from shared.storage import deliveries as log
from shared.storage import webhooks as rows
from shared.storage.notices import owner_of
from shared.storage.store import Store, Transaction


class Webhooks:
    """Who wants to hear of what; a null `webhook_id` is the caller's own callbacks."""

    def __init__(self, store: Store, targets: Targets) -> None:
        self._store = store
        self._targets = targets

    async def create_once(
        self,
        principal: Principal,
        new: NewWebhook,
        idempotency: Idempotency[tuple[Webhook, str]] | None,
    ) -> tuple[Webhook, str] | Replayed:
        """Subscribe, and return the secret, here and nowhere else.

        Raises ValidationFailed for a URL where nothing may be sent, TooManyWebhooks, Forbidden.
        """
        if principal.scope is Scope.USER and principal.user_id is None:
            raise Forbidden("Nobody in particular hears of nothing.")
        whose = principal.user_id if principal.scope is Scope.USER else None
        await self._targets.check(new.url, ("body", "url"))
        secret = new_secret()

        async def create(transaction: Transaction) -> tuple[Webhook, str]:
            if await rows.count(transaction, principal.id) >= MOST_WEBHOOKS:
                raise TooManyWebhooks(f"There are {MOST_WEBHOOKS} webhooks; delete one first.")
            webhook = await rows.insert(
                transaction,
                WebhookId(new_id()),
                new,
                principal_id=principal.id,
                owner_id=owner_of(principal.tenant, whose),
                secret=secret,
                now=await self._store.now(transaction),
            )
            return webhook, secret

        return await once(self._store, principal, idempotency, create)

    async def get(self, principal: Principal, webhook_id: WebhookId) -> Webhook:
        """Read one. Raises NotFound("webhook")."""
        async with self._store.reading() as reading:
            return _found(await rows.fetch(reading, principal, webhook_id))

    async def list(self, principal: Principal, page: Page) -> Listing[Webhook]:
        """List the caller's own."""
        async with self._store.reading() as reading:
            return await rows.page(reading, principal, page)

    async def change(
        self, principal: Principal, webhook_id: WebhookId, change: WebhookChange
    ) -> Webhook:
        """Change one. Raises NotFound("webhook"), ValidationFailed."""
        if change.url is not None:
            await self._targets.check(change.url, ("body", "url"))
        async with self._store.transaction() as transaction:
            now = await self._store.now(transaction)
            return _found(await rows.change(transaction, principal, webhook_id, change, now))

    async def delete(self, principal: Principal, webhook_id: WebhookId) -> None:
        """Delete one; nothing more is sent to it. Raises NotFound("webhook")."""
        async with self._store.transaction() as transaction:
            if not await rows.remove(transaction, principal, webhook_id):
                raise NotFound("webhook")

    async def rotate_once(
        self,
        principal: Principal,
        webhook_id: WebhookId | None,
        *,
        overlap_seconds: float,
        idempotency: Idempotency[Rotated] | None,
    ) -> Rotated | Replayed:
        """Sign with a new secret, and for a while with the one before it too.

        Raises NotFound("webhook").
        """

        async def rotate(transaction: Transaction) -> Rotated:
            now = await self._store.now(transaction)
            rotated = Rotated(secret=new_secret(), old_until=after(now, overlap_seconds))
            if webhook_id is None:
                await rows.renew_callbacks(transaction, principal.id, rotated)
            elif not await rows.renew(transaction, principal, webhook_id, rotated, now):
                raise NotFound("webhook")
            return rotated

        return await once(self._store, principal, idempotency, rotate)

    async def deliveries(
        self,
        principal: Principal,
        webhook_id: WebhookId | None,
        filters: DeliveryFilter,
        page: Page,
    ) -> Listing[Delivery]:
        """List what was sent, or is to be. Raises NotFound("webhook")."""
        async with self._store.reading() as reading:
            if webhook_id is not None:
                _found(await rows.fetch(reading, principal, webhook_id))
            return await log.page(reading, principal, webhook_id, filters, page)

    async def redeliver_once(
        self,
        principal: Principal,
        webhook_id: WebhookId | None,
        delivery_id: DeliveryId,
        idempotency: Idempotency[Delivery] | None,
    ) -> Delivery | Replayed:
        """Send it once more, the same in every byte, with all its attempts before it.

        Raises NotFound("webhook"), NotFound("delivery"), WebhookDisabled.
        """

        async def redeliver(transaction: Transaction) -> Delivery:
            if webhook_id is not None:
                webhook = _found(await rows.fetch(transaction, principal, webhook_id))
                if webhook.disabled_at is not None:
                    raise WebhookDisabled("This webhook is disabled; enable it first.")
            now = await self._store.now(transaction)
            delivery = await log.again(transaction, principal, webhook_id, delivery_id, now)
            if delivery is None:
                raise NotFound("delivery")
            return delivery

        return await once(self._store, principal, idempotency, redeliver)


def _found(webhook: Webhook | None) -> Webhook:
    if webhook is None:
        raise NotFound("webhook")
    return webhook
