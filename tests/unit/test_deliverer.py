"""The deliverer: how many at once, to whom, and what it does with what comes back."""

import asyncio
from collections import Counter
from dataclasses import replace

import pytest
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from shared.clock import wall
from shared.domain.webhook import Answer, judge
from tests.unit.postman import SECRET, Street, Tray, outgoing
from workers.deliverer import AT_ONCE, AT_ONE_TARGET, Deliverer
from workers.signing import headers
from workers.timing import Timing


def deliverer(tray: Tray, street: Street) -> Deliverer:
    timing = Timing(uniform=lambda low, high: (low + high) / 2)
    return Deliverer(tray, street, hold_seconds=30, timing=timing)


async def test_what_is_due_is_posted_signed_and_recorded() -> None:
    tray, street = Tray([outgoing()]), Street()
    await deliverer(tray, street).look()
    await tray.recorded(1)
    [(url, sent, body)] = street.posted
    assert url == "https://example.org:443/hook"
    assert sent["X-Correlation-ID"] == "trace-1"
    assert sent["webhook-id"].startswith("delivery_")
    assert body == '{"type":"run.succeeded"}'
    assert tray.tried[0].verdict.delivered


def test_every_secret_signs() -> None:
    old, new = SECRET, "whsec_YW5vdGhlciBzZWNyZXQgb2YgdGhpcnR5LXR3byBieXRlcw=="
    now = wall()
    sent = headers(replace(outgoing(), secrets=(new, old), taken_at=now))
    for secret in (new, old):
        assert Webhook(secret).verify('{"type":"run.succeeded"}', sent)
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_bm9ib2R5J3M=").verify('{"type":"run.succeeded"}', sent)
    with pytest.raises(WebhookVerificationError):
        Webhook(new).verify('{"type":"run.failed"}', sent)


async def test_one_slow_target_leaves_room_for_the_others() -> None:
    slow = [outgoing("https://slow.example:443") for _ in range(AT_ONE_TARGET * 3)]
    quick = [outgoing(f"https://quick{n}.example:443") for n in range(5)]
    tray, street = Tray([*slow, *quick]), Street()
    street.open.clear()
    works = deliverer(tray, street)
    await works.look()
    await street.knocked(AT_ONE_TARGET + len(quick))
    hosts = Counter(url.split("/")[2].split(".")[0] for url, _, _ in street.posted)
    assert hosts.pop("slow") == AT_ONE_TARGET
    assert len(hosts) == len(quick)
    await works.look()
    assert len(street.posted) == AT_ONE_TARGET + len(quick)  # nothing more of the slow one
    street.open.set()
    await tray.recorded(AT_ONE_TARGET + len(quick))
    assert tray.rung.is_set()  # there is room again, and there was more


async def test_there_is_an_end_to_how_many_at_once() -> None:
    tray = Tray([outgoing(f"https://t{n}.example:443") for n in range(AT_ONCE + 5)])
    street = Street()
    street.open.clear()
    works = deliverer(tray, street)
    await works.look()
    await works.look()
    assert len(tray.due) == 5
    street.open.set()
    await tray.recorded(AT_ONCE)
    await works.look()
    await tray.recorded(5)


async def test_a_target_that_fails_is_asked_once_at_a_time() -> None:
    tray, street = Tray([outgoing()]), Street(lambda _: Answer(error="no answer"))
    works = deliverer(tray, street)
    await works.look()
    await tray.recorded(1)
    tray.due = [outgoing() for _ in range(4)]
    street.open.clear()
    await works.look()
    assert len(tray.due) == 3
    street.answer = lambda _: Answer(status=204)
    street.open.set()
    await tray.recorded(1)
    await works.look()
    assert tray.due == []


async def test_a_drain_lets_go_of_what_does_not_end() -> None:
    tray, street = Tray([outgoing()]), Street()
    street.open.clear()
    works = deliverer(tray, street)
    running = asyncio.create_task(works.run())
    await street.knocked(1)
    await works.drain(0)
    assert tray.tried == []
    tray.ring()
    await running


async def test_what_is_under_way_may_end_in_a_drain() -> None:
    tray, street = Tray([outgoing()]), Street()
    works = deliverer(tray, street)
    await works.look()
    await works.drain(5)
    assert len(tray.tried) == 1


def test_a_delivery_is_tried_for_a_day() -> None:
    waits = []
    attempt, verdict = 1, judge(1, Answer(status=500), lambda low, high: (low + high) / 2)
    while verdict.again is not None:
        waits.append(verdict.again)
        attempt += 1
        verdict = judge(attempt, Answer(error="no connection"), lambda low, high: (low + high) / 2)
    assert not verdict.delivered
    assert waits == sorted(waits)
    assert waits[0] <= 5
    assert 23 * 3600 < sum(waits) < 24 * 3600


@pytest.mark.parametrize(
    ("status", "retry_after", "low", "high"),
    [
        (301, None, 0.5, 2),
        (404, None, 0.5, 2),
        (503, 120, 120, 120),
        (429, 60, 60, 60),
        (429, 0, 0.5, 2),
        (429, 10**8, 3600, 24 * 3600),
        (500, 120, 0.5, 2),
    ],
)
def test_how_long_a_failure_waits(
    status: int, retry_after: float | None, low: float, high: float
) -> None:
    answer = Answer(status=status, retry_after=retry_after)
    for again in (
        judge(1, answer, lambda least, _: least).again,
        judge(1, answer, lambda _, most: most).again,
    ):
        assert again is not None
        assert low <= again <= high


def test_gone_is_gone() -> None:
    verdict = judge(1, Answer(status=410), lambda low, _: low)
    assert verdict.gone
    assert verdict.again is None


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_success_will_do(status: int) -> None:
    assert judge(12, Answer(status=status), lambda low, _: low).delivered
