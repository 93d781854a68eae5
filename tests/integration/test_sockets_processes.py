"""Two ingresses, a worker and a sweeper apart: who joined at one hears what the other is told.

Rooms are followed in SQL, so a process that RabbitMQ has left hears everything, too.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio

from shared.ids import parse
from tests.api.sockets import Client, connected, join
from tests.command import Process
from tests.integration.conftest import Apart
from tests.integration.fleet import KEY, Fleet, ready, script
from tests.proxy import Proxy
from tests.services import LOOPBACK, free_port

pytestmark = pytest.mark.asyncio(loop_scope="module")

ENTITY = {"entityId": "11111111-2222-3333-4444-555555555555", "apiKey": KEY}
SESSIONS = "/api/messaging/sessions"


@dataclass
class Stage:
    """A fleet whose sessions are used through the ingress B; clients are elsewhere."""

    fleet: Fleet
    a: str
    b: httpx.AsyncClient

    async def session(self) -> str:
        """A session of half an hour, made at B."""
        agent = (await self.b.get("/v1/agents/scripted")).json()["id"]
        asked = {"agentId": str(parse("agent", agent)), "userId": str(uuid4())}
        made = (await self.b.post(SESSIONS, json=asked)).raise_for_status()
        return str(made.json()["sessionId"])

    async def say(self, room: str, *steps: list[Any], reply: str = "done") -> None:
        body = {"content": script(*steps, reply=reply)}
        (await self.b.post(f"{SESSIONS}/{room}/messages", json=body)).raise_for_status()

    async def age(self, room: str, minutes: int) -> None:
        """Let a session be so much older; somebody will notice."""
        by = minutes * 60_000_000
        query = (
            f"UPDATE sessions SET expires_at = expires_at - {by}, warn_at = warn_at - {by} "  # noqa: S608
            f"WHERE id = '{room}' RETURNING id"
        )
        assert await self.fleet.read(query)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(
    new_database: Callable[[], str],
    broker_url: str,
    apart: Apart,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Stage]:
    settings = apart(new_database(), broker_url)
    async with Fleet(tmp_path_factory.mktemp("sockets"), **settings) as fleet:
        fleet.command("migrate")
        a, worker = fleet.start("ingress"), fleet.start("worker", "--processes", "1")
        port = free_port()
        b = fleet.start("ingress", PORT=port)
        await ready(a, worker, b, fleet.start("sweeper"))
        async with httpx.AsyncClient(
            base_url=f"http://{LOOPBACK}:{port}",
            headers={"X-API-Key": KEY},
            timeout=20,
            trust_env=False,
        ) as client:
            yield Stage(fleet, a.url, client)


async def hears_it_all(stage: Stage, client: Client) -> None:
    """What is said and streamed, each thing once; warned, renewed, and expired."""
    room = await stage.session()
    await join(client, room)
    await stage.say(room, ["emit", "a"], ["sleep", 0.3], ["emit", "b"], reply="ab")
    assert (await client.until("messageBroadcast", 2))["text"] == "ab"
    assert "".join(each["chunk"] for each in client.of("messageStreamChunk")) == "ab"
    await client.until("sessionRenewed")
    await stage.age(room, 26)
    assert await client.until("sessionExpirationWarning") == {
        "sessionId": room,
        "minutesRemaining": 4,
    }
    renewed = (await stage.b.post(f"{SESSIONS}/{room}/renew")).json()
    assert await client.until("sessionRenewed", 2) == {
        "sessionId": room,
        "expiresAt": renewed["expiresAt"],
        "renewalCount": 2,
    }
    await stage.age(room, 31)
    assert (await client.until("sessionExpired"))["sessionId"] == room
    await client.tell("2", {"roomId": room, "message": "too late"})
    assert "expired" in (await client.until("messageError"))["error"]
    once = ("sessionExpirationWarning", "sessionExpired")
    assert [client.names().count(event) for event in once] == [1, 1]
    assert client.names().count("messageBroadcast") == 2


@pytest.mark.parametrize("transport", ["websocket", "polling"])
async def test_a_client_of_one_ingress_hears_what_goes_on_through_another(
    stage: Stage, transport: str
) -> None:
    async with connected(stage.a, transport=transport, auth=ENTITY) as client:
        await hears_it_all(stage, client)


async def test_a_process_that_the_broker_has_left_hears_everything_too(
    stage: Stage, broker_url: str
) -> None:
    broker = urlsplit(broker_url)
    with Proxy(broker.port or 5672) as proxy:
        through = broker_url.replace(f":{broker.port}", f":{proxy.port}")
        alone = stage.fleet.start("ingress", PORT=free_port(), BROKER_URL=through)
        await ready(alone)
    async with connected(alone.url, auth=ENTITY) as client:
        await hears_it_all(stage, client)


async def test_whoever_joins_at_both_is_told_by_each(stage: Stage) -> None:
    b = str(stage.b.base_url).rstrip("/")
    async with connected(stage.a, auth=ENTITY) as here, connected(b, auth=ENTITY) as there:
        room = await stage.session()
        for each in (here, there):
            await join(each, room)
        await here.tell("2", {"roomId": room, "message": script(reply="hi")})
        for each in (here, there):
            assert (await each.until("messageBroadcast", 2))["text"] == "hi"


async def test_a_process_that_stops_waits_for_no_socket(stage: Stage) -> None:
    leaving: Process = await stage.fleet.up("ingress", PORT=free_port())
    async with (
        connected(leaving.url, transport="polling", auth=ENTITY) as poller,
        connected(leaving.url, auth=ENTITY) as socket,
    ):
        assert await asyncio.to_thread(leaving.stop) == 0
        for each in (poller, socket):
            await each.until("disconnect")
