"""Somebody who listens: subscribes, takes deliveries and says what came of them."""

import json
from collections.abc import Mapping
from typing import Any

from shared.domain.paging import Page
from shared.domain.principal import DEFAULT_TENANT, Principal, Scope
from shared.domain.requests import Replayed
from shared.domain.webhook import (
    Answer,
    Delivery,
    DeliveryFilter,
    NewWebhook,
    Outgoing,
    Tried,
    Webhook,
    WebhookEvent,
    judge,
)
from shared.ids import DeliveryId, WebhookId
from tests.platforms import ME, House

URL = "https://8.8.8.8/hook"
EVERYTHING = tuple(WebhookEvent)
ADA = Principal(tenant=DEFAULT_TENANT, user_id="ada", scope=Scope.USER)
HOLD_SECONDS = 30.0


class Listener:
    """Everything that a deliverer does, one step at a time."""

    def __init__(self, house: House, me: Principal = ME) -> None:
        self.house = house
        self.me = me
        self.webhooks = house.platform.webhooks
        self.delivering = house.platform.delivering

    async def subscribe(self, *events: WebhookEvent, url: str = URL) -> tuple[Webhook, str]:
        new = NewWebhook(url=url, events=events or EVERYTHING)
        made = await self.webhooks.create_once(self.me, new, None)
        assert not isinstance(made, Replayed)
        return made

    async def redeliver(self, webhook_id: WebhookId | None, delivery_id: DeliveryId) -> Delivery:
        again = await self.webhooks.redeliver_once(self.me, webhook_id, delivery_id, None)
        assert not isinstance(again, Replayed)
        return again

    async def take(
        self, room: int = 100, share: int = 100, rooms: Mapping[str, int] | None = None
    ) -> list[Outgoing]:
        return await self.delivering.take(
            room=room, share=share, rooms=rooms or {}, hold_seconds=HOLD_SECONDS
        )

    async def say(self, outgoing: Outgoing, answer: Answer) -> bool:
        """Record an answer, with dice that always show the same."""
        verdict = judge(outgoing.attempt, answer, lambda low, high: (low + high) / 2)
        tried = Tried(outgoing=outgoing, answer=answer, verdict=verdict)
        return await self.delivering.record(tried)

    async def hear(self) -> list[dict[str, Any]]:
        """Take what is due, answer 200 to all of it, and return what it said."""
        heard = await self.take()
        for each in heard:
            assert await self.say(each, Answer(status=200))
        return [json.loads(each.body) for each in heard]

    async def log(
        self, webhook_id: WebhookId | None = None, filters: DeliveryFilter | None = None
    ) -> list[Delivery]:
        """The log of a webhook, or that of the callbacks."""
        page = Page(limit=100, descending=True)
        listing = await self.webhooks.deliveries(
            self.me, webhook_id, filters or DeliveryFilter(), page
        )
        return list(listing.data)
