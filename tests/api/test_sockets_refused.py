"""What sockets are not allowed, and what no client can do to others."""

import asyncio
from typing import Any
from uuid import uuid4

import aiohttp
import httpx
import pytest
from socketio.exceptions import ConnectionError as NotConnected

from ingress.dialects.elizaos.sockets import gatherings, lobby
from shared.bootstrap import Platform
from shared.domain.principal import Scope
from shared.domain.requests import NewKey
from tests.api.caller import Caller
from tests.api.sockets import ENTITY, Client, connected, join, session_of

NO_SESSION = {"error": "Session not found"}


async def refusal(url: str, auth: object = None, **headers: str) -> str:
    """Connect in vain, and say why."""
    client = Client()
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    with pytest.raises(NotConnected):
        await client.io.connect(url, transports=["websocket"], auth=auth, headers=sent)
    await client.io.shutdown()
    [why] = client.refused
    return str(why["message"])


@pytest.mark.parametrize(
    "entity", ["", "me", 7, [ENTITY], {}, ENTITY + "0", ENTITY[:-1] + "\u0663"]
)
async def test_a_name_that_is_no_uuid_is_refused(url: str, service: Caller, entity: object) -> None:
    auth = {"entityId": entity, "apiKey": service.key}
    assert await refusal(url, auth) == "Valid entityId required"


async def test_a_key_has_to_open_something(url: str, service: Caller) -> None:
    invalid = "Invalid or missing API Key"
    wrong: list[object] = ["nonsense", 7, [], {"a": 1}, " "]
    for key in wrong:
        assert await refusal(url, {"entityId": ENTITY, "apiKey": key}) == invalid
    assert await refusal(url, X_API_Key="nonsense") == invalid
    assert await refusal(url, {"apiKey": service.key}, X_API_Key="another") == invalid
    assert await refusal(url, Authorization="Basic abc") == invalid
    for auth in ("text", [1]):
        assert await refusal(url, auth) == "Authentication failed"
    async with connected(url, auth={"apiKey": service.key}, X_API_Key=service.key):
        pass
    async with connected(url, Authorization=f"Bearer {service.key}"):
        pass


async def test_nobody_is_let_in_only_where_that_is_allowed(url: str, service: Caller) -> None:
    private = await session_of(service)
    async with connected(url) as nobody:
        await nobody.tell("join", {"roomId": private})
        assert await nobody.until("messageError") == NO_SESSION
    why = await refusal(url, Host="inturn.example", X_Forwarded_For="203.0.113.9")
    assert why == "Invalid or missing API Key"


async def test_what_others_own_does_not_exist(
    url: str, ada: Caller, bob: Caller, platform: Platform
) -> None:
    room = await session_of(ada)
    async with connected(url, auth={"entityId": ENTITY, "apiKey": bob.key}) as eve:
        for event in ("join", "1", "2"):
            await eve.tell(event, {"roomId": room, "message": "hi"})
        await eve.tell("join", {"roomId": str(uuid4())})
        await eve.tell("leave", {"roomId": room})
        await eve.until("messageError", 4)
        assert eve.of("messageError") == [NO_SESSION] * 4
    assert (await ada.ok("GET", f"/v1/sessions/{room}/messages"))["data"] == []
    assert platform.signals.watched == set()


async def test_who_names_nobody_only_listens(listener: Client, service: Caller) -> None:
    room = await session_of(service)
    await join(listener, room)
    for event in ("1", "2"):
        await listener.tell(event, {"roomId": room, "message": "hi"})
    await listener.until("messageError", 2)
    wanted = {"error": "entityId: Valid entityId required"}
    assert listener.of("messageError") == [wanted] * 2


SHAPES: list[Any] = [None, [], "text", 7, True, {}, [{"roomId": "x"}], {"roomId": 7}, {"type": "2"}]
TYPES: list[Any] = [0, 7, True, 1.5, "1", None, [], 2]
MALFORMED: list[tuple[str, Any]] = [
    *((event, shape) for event in ("join", "leave", "message", "1", "2") for shape in SHAPES),
    *(("message", {"type": type_, "payload": {}}) for type_ in TYPES),
]


async def test_what_is_malformed_is_told_and_nothing_stored(
    client: Client, service: Caller
) -> None:
    room = await session_of(service)
    for count, (event, payload) in enumerate(MALFORMED, start=1):
        await client.tell(event, payload)
        assert (await client.until("messageError", count)).keys() == {"error"}
    assert (await service.ok("GET", f"/v1/sessions/{room}/messages"))["data"] == []


WRONG: dict[str, list[Any]] = {
    "message": [None, "", 7, [], {}, "x" * 4001],
    "senderId": ["me", 7, []],
    "senderName": [7, "x" * 201],
    "messageId": [7, "x" * 201, []],
    "metadata": [[], "text", {"a": "x" * 10_240}],
    "attachments": [{}, "text", [7], [{"type": "image"}], [{"type": "image", "url": "ftp://x"}]],
}


async def test_a_wrong_message_is_not_stored(client: Client, service: Caller) -> None:
    room = await session_of(service)
    await join(client, room)
    count = 0
    for field, values in WRONG.items():
        for value in values:
            count += 1
            await client.tell("2", {"roomId": room, "message": "hi", field: value})
            assert (await client.until("messageError", count)).keys() == {"error"}
    assert client.of("messageBroadcast") == []
    assert (await service.ok("GET", f"/v1/sessions/{room}/messages"))["data"] == []


async def test_strange_origins_are_refused(url: str) -> None:
    at = f"{url}/socket.io/?EIO=4&transport=polling"
    async with httpx.AsyncClient() as http:
        assert (await http.get(at, headers={"Origin": "https://evil.example"})).status_code == 400
        assert (await http.get(at, headers={"Origin": url})).status_code == 200


async def test_there_are_as_many_rooms_as_there_may_be(
    client: Client, service: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gatherings, "MAX_ROOMS", 1)
    first, second = [await session_of(service) for _ in range(2)]
    await join(client, first)
    await join(client, first)
    await client.tell("join", {"roomId": second})
    assert await client.until("messageError") == {"error": "roomId: more than 1 rooms"}
    await client.tell("leave", {"roomId": first})
    await client.tell("join", {"roomId": second})
    assert (await client.until("room_joined", 3))["roomId"] == second


async def test_rates_hold_for_sockets_too(
    url: str, service: Caller, platform: Platform, tenant: str
) -> None:
    room = await session_of(service)
    new = NewKey(name="slow", scope=Scope.SERVICE, tenant=tenant, rate_limit="1/h")
    _, key = await platform.keys.create(new)
    async with connected(url, auth={"entityId": ENTITY, "apiKey": key}) as client:
        for _ in range(2):
            await client.tell("2", {"roomId": room, "message": "hi"})
        assert (await client.until("messageError"))["error"]
        assert client.names().count("messageAck") == 1
    assert len((await service.ok("GET", f"/v1/sessions/{room}/messages"))["data"]) == 1


async def test_a_revoked_key_is_seen_out_and_so_is_who_says_nothing(
    url: str,
    service: Caller,
    platform: Platform,
    tenant: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lobby, "LOOK_SECONDS", 0.2)
    made = NewKey(name="short", scope=Scope.SERVICE, tenant=tenant)
    key, secret = await platform.keys.create(made)
    room = await session_of(service)
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(f"{url}/socket.io/?EIO=4&transport=websocket") as silent,
        connected(url, auth={"apiKey": secret}) as client,
        connected(url, auth={"apiKey": service.key}) as other,
    ):
        for each in (client, other):
            await join(each, room)
        assert (await silent.receive_str()).startswith("0{")
        async with asyncio.timeout(10):
            while not silent.closed:
                await silent.receive()
        await platform.keys.revoke(key.id)
        await client.until("disconnect")
        await service.ok("POST", f"/v1/sessions/{room}/messages", {"content": "x"})
        await other.until("messageBroadcast")
        assert "messageBroadcast" not in client.names()


async def test_there_is_room_for_so_many_and_who_says_nothing_makes_room(
    url: str, service: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lobby, "MAX_SOCKETS", 2)
    auth = {"apiKey": service.key}
    async with (
        aiohttp.ClientSession() as http,
        connected(url, auth=auth) as first,
        http.ws_connect(f"{url}/socket.io/?EIO=4&transport=websocket") as silent,
        connected(url, auth=auth) as second,
    ):
        assert (await silent.receive_str()).startswith("0{")
        async with asyncio.timeout(10):
            while not silent.closed:
                await silent.receive()
        async with http.get(f"{url}/socket.io/?EIO=4&transport=polling") as refused:
            assert refused.status == 503
            assert refused.headers["Retry-After"] == "5"
        room = await session_of(service)
        for each in (first, second):
            await join(each, room)


async def test_nothing_is_kept_of_who_has_left(url: str, service: Caller) -> None:
    def waiting() -> int:
        return sum("_send_ping" in repr(task.get_coro()) for task in asyncio.all_tasks())

    before = waiting()
    async with connected(url, auth={"apiKey": service.key}):
        assert waiting() > before
    async with asyncio.timeout(5):
        while waiting() > before:  # noqa: ASYNC110  (only asking tells)
            await asyncio.sleep(0)
