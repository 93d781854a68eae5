"""RabbitMQ goes away under load: what is posted meanwhile is accepted, and answered after."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.integration.conftest import Apart
from tests.integration.fleet import LONG, Fleet, out_of_service, ready, script
from tests.integration.history import Receipt
from tests.servers import RabbitMQ

AWAY_SECONDS = 20.0 if LONG else 4.0
SESSIONS = 50


async def test_nothing_is_refused_or_lost_while_the_broker_is_away(
    new_database: Callable[[], str], apart: Apart, tmp_path: Path
) -> None:
    async with (
        a_broker() as broker,
        Fleet(tmp_path, **apart(new_database(), broker.url)) as fleet,
    ):
        fleet.command("migrate")
        worker = fleet.start("worker", "--processes", "1")
        await ready(fleet.start("ingress"), fleet.start("sweeper"), worker)
        receipts: list[Receipt] = []
        loading = asyncio.create_task(load(fleet, receipts))
        await fleet.until_some(30, "settled_at IS NOT NULL", 15)
        outage = asyncio.create_task(out_of_service(broker, AWAY_SECONDS))

        async def down() -> bool:
            answer = await fleet.client.get("/readyz")
            return answer.is_success and answer.json()["broker"] == "down"

        await fleet.until(down, 10, "ingress is ready without a broker")
        before = len(receipts)
        await outage
        loading.cancel()
        await asyncio.wait({loading})
        history = await fleet.settled(30)
        assert len(receipts) - before > SESSIONS
        assert {receipt.status for receipt in receipts} == {202}
        history.assert_answered_once(receipts)
        history.assert_in_turn()
        fleet.command("doctor")


async def load(fleet: Fleet, receipts: list[Receipt]) -> None:
    """Post without end."""
    sessions = itertools.cycle(await fleet.sessions(SESSIONS))
    while True:
        receipts.append(await fleet.post(next(sessions), script(["sleep", 0.02])))


@asynccontextmanager
async def a_broker() -> AsyncIterator[RabbitMQ]:
    if not RabbitMQ.installed():
        pytest.skip("RabbitMQ is not installed here")
    broker = RabbitMQ()
    try:
        await asyncio.to_thread(broker.start)
        yield broker
    finally:
        await asyncio.to_thread(broker.close)
