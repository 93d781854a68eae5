"""Clients of socket.io hear how long the sessions live that they have joined."""

from shared.bootstrap import Platform
from shared.clock import SECOND
from tests.api.caller import Caller
from tests.api.sockets import Client, connected, join, living, say

MINUTE = 60 * SECOND


def pass_time(platform: Platform, minutes: float) -> None:
    platform.execution._store.offset += round(minutes * MINUTE)  # noqa: SLF001


async def test_warned_renewed_and_expired(
    url: str, client: Client, listener: Client, service: Caller, platform: Platform
) -> None:
    room = await living(service)
    for each in (client, listener):
        await join(each, room)
    pass_time(platform, 26.5)
    await platform.upkeep.sweep()
    warning = {"sessionId": room, "minutesRemaining": 4}
    assert await client.until("sessionExpirationWarning") == warning
    key = {"X-API-Key": service.key}
    renewed = (await service.http.post(f"/api/messaging/sessions/{room}/renew", headers=key)).json()
    assert await client.until("sessionRenewed") == {
        "sessionId": room,
        "expiresAt": renewed["expiresAt"],
        "renewalCount": 1,
    }
    pass_time(platform, 31)
    await platform.upkeep.sweep()
    expired = {"sessionId": room, "expiredAt": renewed["expiresAt"]}
    for each in (client, listener):
        assert await each.until("sessionExpired") == expired
        assert each.names().count("sessionExpired") == 1
    await say(client, room, "too late?")
    told = await client.until("messageError")
    assert told == {"error": f"Session '{room}' expired at {renewed['expiresAt']}"}
    async with connected(url, auth={"apiKey": service.key}) as late:
        await late.tell("join", {"roomId": room})
        assert await late.until("messageError") == told
        assert late.of("sessionExpired") == [expired]
    assert (await service.ok("GET", f"/v1/sessions/{room}/messages"))["data"] == []


async def test_an_ended_session_is_a_room_no_more(
    client: Client, service: Caller, platform: Platform
) -> None:
    room = await living(service)
    await join(client, room)
    key = {"X-API-Key": service.key}
    await service.http.delete(f"/api/messaging/sessions/{room}", headers=key)
    gone = {"error": "Session not found"}
    assert await client.until("messageError") == {**gone, "channelId": room, "roomId": room}
    for event in ("join", "1", "2"):
        await client.tell(event, {"roomId": room, "message": "hi"})
    assert await client.until("messageError", 4) == gone
    assert platform.signals.watched == set()
