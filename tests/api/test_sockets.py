"""Clients of socket.io join sessions, say something in them, and hear what goes on there."""

import asyncio

import pytest

from ingress.dialects.elizaos.sockets import engine, gatherings
from ingress.dialects.elizaos.sockets.wire import Said, told_of
from shared.bootstrap import Platform
from shared.domain.outcome import Failed
from shared.domain.run import RunError
from shared.domain.session import Session
from shared.domain.sighting import Sighting
from shared.ids import parse
from shared.telemetry import ROOMS
from tests.api.caller import Caller
from tests.api.performer import Performer
from tests.api.sockets import ENTITY, Client, connected, join, say, session_of
from tests.contract.storyteller import answer_id, saying


@pytest.fixture(params=["websocket", "polling", "polling+websocket"])
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def followed() -> float:
    """How many sessions this process follows, as its metrics say."""
    [gauge] = ROOMS.collect()
    return gauge.samples[0].value


async def test_a_client_is_told_that_it_is_connected(client: Client) -> None:
    authenticated, established = client.heard
    assert authenticated[0] == "authenticated"
    assert authenticated[1].keys() == {"entityId", "timestamp"}
    assert authenticated[1]["entityId"] == ENTITY
    assert established == (
        "connection_established",
        {"message": "Connected to Inturn", "socketId": client.io.get_sid()},
    )


async def test_a_message_is_broadcast_acknowledged_and_answered(
    client: Client, listener: Client, service: Caller, performer: Performer
) -> None:
    room = await session_of(service)
    for each in (client, listener):
        await join(each, room)
    await say(client, room, "hello", messageId="mine", senderName="Ada", metadata={"a": 1})
    acknowledged = await client.until("messageAck")
    own, others = [await each.until("messageBroadcast") for each in (client, listener)]
    assert own == {**others, "clientMessageId": "mine"}
    assert acknowledged == {
        "clientMessageId": "mine",
        "messageId": own["id"],
        "status": "received_by_server_and_processing",
        "channelId": room,
        "roomId": room,
    }
    assert others == {
        "id": own["id"],
        "senderId": ENTITY,
        "senderName": "Ada",
        "text": "hello",
        "channelId": room,
        "roomId": room,
        "serverId": "00000000-0000-0000-0000-000000000000",
        "messageServerId": "00000000-0000-0000-0000-000000000000",
        "createdAt": own["createdAt"],
        "source": "client_chat",
        "attachments": [],
    }
    [stored] = (await service.ok("GET", f"/v1/sessions/{room}/messages"))["data"]
    assert parse("msg", stored["id"]).hex == own["id"].replace("-", "")
    assert stored["metadata"] == {"a": 1, "user_display_name": "Ada"}
    await performer.answer(stored["run_id"], "hi, Ada")
    for each in (client, listener):
        answer = await each.until("messageBroadcast", 2)
        assert (answer["text"], answer["source"]) == ("hi, Ada", "agent_response")
        assert (answer["senderName"], answer["roomId"]) == ("echo", room)
        assert each.names().count("messageBroadcast") == 2


async def test_what_another_contract_sends_is_broadcast_too(
    client: Client, service: Caller, performer: Performer
) -> None:
    room = await session_of(service)
    await join(client, room)
    receipt = await service.ok("POST", f"/v1/sessions/{room}/messages", {"content": "from afar"})
    assert (await client.until("messageBroadcast"))["text"] == "from afar"
    await performer.answer(receipt["run"]["id"], "heard")
    assert (await client.until("messageBroadcast", 2))["text"] == "heard"


async def test_a_run_is_streamed_and_its_failure_told(
    client: Client, service: Caller, performer: Performer
) -> None:
    room = await session_of(service)
    await join(client, room)
    run = (await service.ok("POST", f"/v1/sessions/{room}/messages", {"content": "x"}))["run"]["id"]
    await performer.start(run)
    claim = performer.claims[run]
    await performer.execution.append(saying(claim, "a", "b"))
    await client.until("messageStreamChunk", 2)
    await performer.end(run, Failed(error=RunError(code="agent_error", message="oops")))
    broken = await client.until("messageStreamError")
    streamed = {"messageId": str(answer_id(claim)), "channelId": room, "agentId": broken["agentId"]}
    assert client.of("messageStreamChunk") == [
        {**streamed, "chunk": text, "index": index} for index, text in enumerate("ab")
    ]
    assert broken == {**streamed, "error": "oops"}


async def test_who_leaves_hears_nothing_more(
    client: Client, listener: Client, service: Caller, platform: Platform
) -> None:
    room = await session_of(service)
    for each in (client, listener):
        await join(each, room)
    assert followed() == 1
    await client.tell("leave", {"roomId": room})
    await say(client, room, "own words are heard all the same")
    await client.until("messageAck")
    await service.ok("POST", f"/v1/sessions/{room}/messages", {"content": "unheard"})
    await listener.until("messageBroadcast", 2)
    assert client.names().count("messageBroadcast") == 1
    await listener.tell("leave", {"roomId": room})
    await listener.tell("join", {"roomId": "nothing"})
    await listener.until("messageError")
    assert platform.signals.watched == set()
    assert followed() == 0


async def test_a_room_is_found_by_either_spelling_of_its_id(
    client: Client, service: Caller
) -> None:
    room = await session_of(service)
    for count, given in enumerate((room.upper(), f"sess_{room.replace('-', '')}"), start=1):
        await client.tell("join", {"roomId": given})
        assert (await client.until("room_joined", count))["roomId"] == room


async def test_a_number_is_the_name_of_an_event_too(client: Client, service: Caller) -> None:
    room = await session_of(service)
    await client.tell("1", {"channelId": room, "agentId": ENTITY})
    joined = {"message": f"User joined channel {room}", "channelId": room, "roomId": room}
    for event in ("channel_joined", "room_joined"):
        assert await client.until(event) == {**joined, "agentId": ENTITY}
    await client.tell("2", {"roomId": room, "message": "hi"})
    assert (await client.until("messageAck"))["clientMessageId"] is None
    for number in range(3, 7):
        await client.tell(str(number), {"roomId": room})
        await client.tell("message", {"type": number, "payload": None})
    await client.tell("subscribe_logs", {})
    assert await client.until("messageError") == {"error": "This server does not stream its logs."}
    assert client.names().count("messageError") == 1


async def test_a_room_that_is_lost_sends_its_members_back_and_others_open_another(
    url: str, service: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a member is told fails once; who joins while it is being seen out hears the rest."""
    room = await session_of(service)
    tell, expel = told_of, engine._Engine.expel  # noqa: SLF001
    failed, go = asyncio.Event(), asyncio.Event()

    def fail_once(session: Session, sighting: Sighting) -> Said:
        if not failed.is_set():
            failed.set()
            message = "of the test"
            raise RuntimeError(message)
        return tell(session, sighting)

    async def expel_later(server: engine._Engine, eio_sid: str) -> None:
        await go.wait()
        await expel(server, eio_sid)

    monkeypatch.setattr(gatherings, "told_of", fail_once)
    monkeypatch.setattr(engine._Engine, "expel", expel_later)  # noqa: SLF001
    auth = {"entityId": ENTITY, "apiKey": service.key}
    async with connected(url, auth=auth) as lost, connected(url, auth=auth) as other:
        await join(lost, room)
        await service.ok("POST", f"/v1/sessions/{room}/messages", {"content": "first"})
        async with asyncio.timeout(10):
            await failed.wait()
        await join(other, room)
        await service.ok("POST", f"/v1/sessions/{room}/messages", {"content": "second"})
        assert (await other.until("messageBroadcast"))["text"] == "second"
        go.set()
        await lost.until("disconnect")
