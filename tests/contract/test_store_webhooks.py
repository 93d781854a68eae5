"""Subscriptions: whose they are, where they point, what signs them."""

import asyncio

import pytest

from shared.domain.errors import (
    NotFound,
    TooManyWebhooks,
    ValidationFailed,
    WebhookDisabled,
)
from shared.domain.idempotency import Answer as Remembered
from shared.domain.idempotency import Idempotency
from shared.domain.paging import Page
from shared.domain.principal import Principal, Scope
from shared.domain.requests import Replayed
from shared.domain.webhook import (
    MOST_WEBHOOKS,
    Answer,
    NewWebhook,
    Outgoing,
    Rotated,
    Webhook,
    WebhookChange,
)
from shared.ids import DeliveryId, WebhookId, new_id
from shared.storage.schema import deliveries, principals, webhooks
from tests.contract.listener import ADA, EVERYTHING, HOLD_SECONDS, URL, Listener
from tests.platforms import House

OK, ERROR = Answer(status=200), Answer(status=500)


@pytest.fixture
def listener(house: House) -> Listener:
    return Listener(house)


async def end_a_run(house: House, **more: str) -> None:
    session = await house.session()
    run = (await house.post(session, **more)).run
    await house.platform.runs.cancel(house.me, run.id, reason=None)


async def one(listener: Listener) -> Outgoing:
    [outgoing] = await listener.take()
    return outgoing


async def rotated(
    listener: Listener, webhook_id: WebhookId | None, overlap_seconds: float = 3600
) -> str:
    made = await listener.webhooks.rotate_once(
        listener.me, webhook_id, overlap_seconds=overlap_seconds, idempotency=None
    )
    assert isinstance(made, Rotated)
    return made.secret


async def test_it_goes_where_the_webhook_is_now(house: House, listener: Listener) -> None:
    webhook, _ = await listener.subscribe()
    await end_a_run(house)
    await listener.say(await one(listener), ERROR)
    change = WebhookChange(url="https://1.1.1.1/new", name="moved")
    changed = await listener.webhooks.change(listener.me, webhook.id, change)
    assert (changed.url, changed.name) == ("https://1.1.1.1/new", "moved")
    house.wait(10)
    outgoing = await one(listener)
    assert (outgoing.url, outgoing.target) == ("https://1.1.1.1/new", "https://1.1.1.1:443")
    [entry] = await listener.log(webhook.id)
    assert entry.url == "https://1.1.1.1/new"


async def test_a_disabled_webhook_is_sent_nothing(house: House, listener: Listener) -> None:
    webhook, _ = await listener.subscribe()
    await end_a_run(house)
    await listener.webhooks.change(listener.me, webhook.id, WebhookChange(enabled=False))
    await end_a_run(house)
    assert await listener.take() == []
    [entry] = await listener.log(webhook.id)
    assert (entry.status, entry.tries[0].error) == ("failed", "the subscription is disabled")
    with pytest.raises(WebhookDisabled):
        await listener.redeliver(webhook.id, entry.id)
    await listener.webhooks.change(listener.me, webhook.id, WebhookChange(enabled=True))
    await listener.redeliver(webhook.id, entry.id)
    assert await listener.say(await one(listener), OK)


async def test_a_deleted_webhook_is_sent_nothing(house: House, listener: Listener) -> None:
    webhook, _ = await listener.subscribe()
    await end_a_run(house)
    await listener.webhooks.delete(listener.me, webhook.id)
    assert await listener.take() == []
    assert await house.count(deliveries, deliveries.c.next_at.is_not(None)) == 0
    for ask in (
        listener.webhooks.get(listener.me, webhook.id),
        listener.webhooks.delete(listener.me, webhook.id),
        listener.log(webhook.id),
    ):
        with pytest.raises(NotFound):
            await ask


async def test_who_says_gone_is_asked_no_more(house: House, listener: Listener) -> None:
    webhook, _ = await listener.subscribe()
    await end_a_run(house)
    await end_a_run(house)
    first, second = await listener.take()
    await listener.say(first, Answer(status=410))
    await listener.say(second, OK)
    gone: Webhook = await listener.webhooks.get(listener.me, webhook.id)
    assert gone.disabled_at is not None
    assert {each.status for each in await listener.log(webhook.id)} == {"failed", "delivered"}


async def test_a_webhook_that_has_moved_is_not_gone(house: House, listener: Listener) -> None:
    webhook, _ = await listener.subscribe()
    await end_a_run(house)
    under_way = await one(listener)
    change = WebhookChange(url="https://1.1.1.1/new")
    await listener.webhooks.change(listener.me, webhook.id, change)
    await listener.say(under_way, Answer(status=410))
    assert (await listener.webhooks.get(listener.me, webhook.id)).disabled_at is None


async def test_both_secrets_sign_until_the_overlap_is_over(
    house: House, listener: Listener
) -> None:
    webhook, old = await listener.subscribe()
    await end_a_run(house)
    outgoing = await one(listener)
    assert outgoing.secrets == (old,)
    new = await rotated(listener, webhook.id)
    house.wait(HOLD_SECONDS + 1)
    assert (await one(listener)).secrets == (new, old)
    house.wait(3600)
    assert (await one(listener)).secrets == (new,)
    newest = await rotated(listener, webhook.id, overlap_seconds=0)
    house.wait(HOLD_SECONDS + 1)
    assert (await one(listener)).secrets == (newest,)


async def test_callbacks_are_signed_with_the_principal_s_own(
    house: House, listener: Listener
) -> None:
    callback = {"callback_url": URL}
    await end_a_run(house, **callback)
    first = await one(listener)
    assert len(first.secrets) == 1
    assert first.secrets[0].startswith("whsec_")
    await end_a_run(house, **callback)
    assert (await one(listener)).secrets == first.secrets
    new = await rotated(listener, None)
    await end_a_run(house, **callback)
    assert (await one(listener)).secrets == (new, *first.secrets)
    house.wait(HOLD_SECONDS + 1)
    await rotated(Listener(house, ADA), None)
    assert {each.secrets for each in await listener.take()} == {(new, *first.secrets)}
    [entry, *_] = await listener.log()
    assert (await listener.redeliver(None, entry.id)).id == entry.id
    with pytest.raises(NotFound):
        await Listener(house, ADA).redeliver(None, entry.id)


async def test_a_first_rotation_needs_no_callback_before(house: House, listener: Listener) -> None:
    secret = await rotated(listener, None)
    await end_a_run(house, callback_url=URL)
    assert (await one(listener)).secrets == (secret,)
    assert await house.count(principals) == 1


async def test_there_is_an_end_to_subscriptions(house: House, listener: Listener) -> None:
    for _ in range(MOST_WEBHOOKS - 1):
        await listener.subscribe()
    ends = await asyncio.gather(*(listener.subscribe() for _ in range(3)), return_exceptions=True)
    assert sorted(isinstance(each, TooManyWebhooks) for each in ends) == [False, True, True]
    assert await house.count(webhooks) == MOST_WEBHOOKS
    await Listener(house, ADA).subscribe()
    page = await listener.webhooks.list(listener.me, Page(limit=MOST_WEBHOOKS + 1))
    assert len(page.data) == MOST_WEBHOOKS


async def test_a_key_makes_one_subscription(house: House, listener: Listener) -> None:
    def render(made: tuple[Webhook, str]) -> Remembered:
        return Remembered(status=201, body=made[0].id.hex)

    def asked() -> Idempotency[tuple[Webhook, str]]:
        return Idempotency(key="k", body_hash=b"same", render=render)

    wanted = NewWebhook(url=URL, events=EVERYTHING)
    first = await listener.webhooks.create_once(listener.me, wanted, asked())
    second = await listener.webhooks.create_once(listener.me, wanted, asked())
    assert not isinstance(first, Replayed)
    assert isinstance(second, Replayed)
    assert second.answer.body == first[0].id.hex
    assert await house.count(webhooks) == 1


async def test_somebody_else_s_do_not_exist(house: House, listener: Listener) -> None:
    webhook, _ = await listener.subscribe()
    await end_a_run(house)
    outgoing = await one(listener)
    ada = Listener(house, ADA)
    for ask in (
        ada.webhooks.get(ADA, webhook.id),
        ada.webhooks.change(ADA, webhook.id, WebhookChange(name="mine")),
        ada.webhooks.delete(ADA, webhook.id),
        ada.log(webhook.id),
        ada.redeliver(webhook.id, outgoing.id),
        rotated(ada, webhook.id),
        listener.redeliver(webhook.id, DeliveryId(new_id())),
    ):
        with pytest.raises(NotFound):
            await ask
    assert (await ada.webhooks.list(ADA, Page())).data == ()


async def test_a_lesser_key_of_the_same_name_does_not_touch_what_hears_everything(
    house: House,
) -> None:
    service = Principal(tenant=ADA.tenant, user_id=ADA.user_id, scope=Scope.SERVICE)
    webhook, _ = await Listener(house, service).subscribe()
    with pytest.raises(NotFound):
        await rotated(Listener(house, ADA), webhook.id)
    mine, _ = await Listener(house, ADA).subscribe()
    listed = await house.platform.webhooks.list(service, Page())
    assert {each.id for each in listed.data} == {webhook.id, mine.id}


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "https://10.0.0.1", "https://localhost"])
async def test_a_private_url_is_refused(listener: Listener, url: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        await listener.subscribe(url=url)
    assert refused.value.errors[0].loc == ("body", "url")
    webhook, _ = await listener.subscribe()
    with pytest.raises(ValidationFailed):
        await listener.webhooks.change(listener.me, webhook.id, WebhookChange(url=url))
