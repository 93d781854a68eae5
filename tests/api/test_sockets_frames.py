"""Bytes that no library of socket.io would send."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import httpx
import pytest

from ingress.dialects.elizaos.sockets import engine
from shared.bootstrap import Platform
from tests.api.caller import Caller
from tests.api.sockets import ENTITY, Client, connected, join, session_of

DEEP = "[" * 100 + "]" * 100


@asynccontextmanager
async def raw(url: str, key: str) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """A WebSocket without a library in between: connected, and past its greetings."""
    address = f"{url}/socket.io/?EIO=4&transport=websocket"
    async with aiohttp.ClientSession() as session, session.ws_connect(address) as socket:
        assert (await socket.receive_str()).startswith("0{")
        await socket.send_str("40" + json.dumps({"entityId": ENTITY, "apiKey": key}))
        for expected in ("40{", '42["authenticated"', '42["connection_established"'):
            assert (await socket.receive_str()).startswith(expected)
        yield socket


SAYS = (r'"a\u0000b"', r'"\ud800"', DEEP, "NaN", "1" * 40, '"unfinished')
UNREADABLE = [f'42["2",{{"roomId":"{{room}}","message":{text}}}]' for text in SAYS] + [
    '42["join"', "42", "42{}", "42[]", "42[7]", '42["join",{},{},{}]', "42" + DEEP, "4251-",
    '42["connect",{}]', '42["disconnect","x"]', "43", "43{}", "44", "41/other,", "40/other,{}",
]  # fmt: skip


async def test_packets_that_cannot_be_read_cost_nobody_anything(url: str, service: Caller) -> None:
    room = await session_of(service)
    async with raw(url, service.key) as socket:
        for packet in UNREADABLE:
            await socket.send_str(packet.replace("{room}", room))
        await socket.send_str(f'42["join",{{"roomId":"{room}"}}]')
        errors = 0
        while not (told := await socket.receive_str()).startswith('42["channel_joined"'):
            assert told.startswith(('42["messageError"', "44/other"))
            errors += told.startswith('42["messageError"')
        assert errors >= len(UNREADABLE) - 6
    assert (await service.ok("GET", f"/v1/sessions/{room}/messages"))["data"] == []


@pytest.mark.parametrize(
    "frame",
    ["", "x", "9", "2" + DEEP, "4", "451-[]", "b4AAEC", "4" + DEEP, b"bytes", "4" * 1_000_001],
)
async def test_frames_that_are_no_packets_end_the_connection(
    url: str, service: Caller, frame: str | bytes
) -> None:
    async with raw(url, service.key) as socket:
        await (socket.send_bytes(frame) if isinstance(frame, bytes) else socket.send_str(frame))
        while (await socket.receive()).type is aiohttp.WSMsgType.TEXT:
            pass
        assert socket.closed
    async with connected(url, auth={"apiKey": service.key}):
        pass


async def test_polls_that_make_no_sense_are_refused(url: str) -> None:
    at = f"{url}/socket.io/?EIO=4&transport=polling"
    async with httpx.AsyncClient() as http:
        opened = await http.get(at)
        assert opened.headers["x-correlation-id"]
        sid = json.loads(opened.text[1:])["sid"]
        for body in ("", "x", "b4AA", "d=4", "4" + DEEP, "\x1e".join(["3"] * 17), b"\xff"):
            assert (await http.post(f"{at}&sid={sid}", content=body)).status_code == 400
        assert (await http.post(f"{at}&sid={sid}", content="4" * 1_000_001)).status_code == 413
        for query in ("&sid=nobody", "&j=1", "&transport=smoke", "&EIO=3"):
            assert (await http.get(at.replace("&", query + "&", 1))).status_code == 400
        assert (await http.post(f"{at}&sid=nobody", content="3")).status_code == 400
        assert (await http.put(at)).status_code == 405
        assert (await http.post(f"{at}&sid={sid}", content="40{}")).status_code == 200


async def test_who_takes_nothing_loses_its_connection_and_nobody_else_does(
    url: str, client: Client, service: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A poller that polls no more: what waits for it is bounded."""
    monkeypatch.setattr(engine, "MAX_BACKLOG_PACKETS", 3)
    room = await session_of(service)
    await join(client, room)
    at = f"{url}/socket.io/?EIO=4&transport=polling"
    async with httpx.AsyncClient() as http:
        at += "&sid=" + json.loads((await http.get(at)).text[1:])["sid"]
        await http.post(at, content="40" + json.dumps({"apiKey": service.key}))
        assert (await http.get(at)).text.startswith("40{")
        await http.post(at, content=f'42["join",{{"roomId":"{room}"}}]')
        assert "room_joined" in (await http.get(at)).text
        for count in range(1, 5):
            await service.ok("POST", f"/v1/sessions/{room}/messages", {"content": "x"})
            await client.until("messageBroadcast", count)
        assert (await http.get(at)).status_code == httpx.codes.BAD_REQUEST
    await service.ok("POST", f"/v1/sessions/{room}/messages", {"content": "x"})
    await client.until("messageBroadcast", 5)


@pytest.mark.parametrize("transport", ["websocket", "polling"])
async def test_a_process_that_leaves_sees_everybody_out(
    client: Client, url: str, platform: Platform
) -> None:
    """Polls that are held would hold up its end; whoever comes is sent on."""
    platform.signals.release()
    await client.until("disconnect")
    async with httpx.AsyncClient() as http:
        answer = await http.get(f"{url}/socket.io/?EIO=4&transport=polling")
        assert answer.status_code == httpx.codes.SERVICE_UNAVAILABLE
        assert answer.headers["retry-after"] == "1"
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(f"{url}/socket.io/?EIO=4&transport=websocket")
