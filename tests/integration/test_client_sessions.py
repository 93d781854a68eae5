"""The Python client over ElizaOS's contract, against a real server."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from pathlib import Path
from uuid import uuid4

import pytest

from inturn_client import ApiError, Event, Room, Sessions
from tests.integration.network import Network
from tests.integration.serving import Served, serving
from tests.proxy import Proxy

ME = str(uuid4())


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(
        tmp_path_factory.mktemp("served"), SWEEP_SECONDS=0.2, SESSION_MIN_TIMEOUT_MINUTES=0.02
    ) as server:
        yield server


@pytest.fixture(scope="module")
def echo(served: Served) -> str:
    return served.agent("echo")


@pytest.fixture
def network() -> Network:
    return Network()


@pytest.fixture
async def sessions(served: Served, network: Network) -> AsyncIterator[Sessions]:
    async with Sessions(served.url, served.key, transport=network) as client:
        yield client


async def until(room: Room, name: str, **values: object) -> Event:
    """The next event of this name that has these values."""
    async with asyncio.timeout(10):
        async for event in room:
            if event.name == name and event.data | values == event.data:
                return event
    raise AssertionError


async def test_a_conversation_from_beginning_to_end(sessions: Sessions, echo: str) -> None:
    made = await sessions.create(
        echo, ME, metadata={"channel": "web"}, timeoutConfig={"timeoutMinutes": 20}
    )
    id_ = made["sessionId"]
    assert (made["userId"], made["timeoutConfig"]["timeoutMinutes"]) == (ME, 20)
    for text in ("one", "two"):
        sent = await sessions.send(id_, text, transport="http")
        assert (sent["content"], sent["agentResponse"]["text"]) == (text, text)
    read = [note async for note in sessions.messages(id_, limit=1)]
    assert [note["content"] for note in read] == ["two", "two", "one", "one"]
    first = round(datetime.fromisoformat(read[-1]["createdAt"]).timestamp() * 1000)
    missed = [note["content"] async for note in sessions.messages(id_, limit=1, after=first)]
    assert missed == ["one", "two", "two"]
    await sessions.delete(id_)
    with pytest.raises(ApiError, match="404 SESSION_NOT_FOUND"):
        await sessions.get(id_)


async def test_a_lifetime_is_renewed_and_changed(sessions: Sessions, echo: str) -> None:
    id_ = (await sessions.create(echo, ME))["sessionId"]
    assert (await sessions.renew(id_))["renewalCount"] == 1
    assert (await sessions.heartbeat(id_))["renewalCount"] == 2
    changed = await sessions.set_timeout(id_, timeoutMinutes=60, autoRenew=False)
    assert changed["timeRemaining"] > 59 * 60_000
    assert (await sessions.get(id_))["timeoutConfig"]["autoRenew"] is False


async def test_an_answer_comes_piece_by_piece(sessions: Sessions, echo: str) -> None:
    id_ = (await sessions.create(echo, ME))["sessionId"]
    events = [event async for event in sessions.stream(id_, "Hello \u2028 there")]
    assert [event.name for event in events] == ["user_message", "chunk", "done"]
    assert events[-1].data["text"] == "Hello \u2028 there"


async def test_what_got_no_answer_happens_once(
    sessions: Sessions, network: Network, echo: str
) -> None:
    network.plans = [None]
    id_ = (await sessions.create(echo, ME))["sessionId"]
    assert (network.statuses, len(network.keys)) == ([201, 201], 1)
    network.sent.clear()
    network.plans = [None]
    sent = await sessions.send(id_, "Once", transport="http")
    assert (len(network.sent), len(network.keys)) == (2, 1)
    assert sent["agentResponse"]["text"] == "Once"
    assert len([note async for note in sessions.messages(id_)]) == 2


async def test_a_room_tells_what_happens_also_after_a_break(served: Served, echo: str) -> None:
    port = int(served.url.rpartition(":")[2])
    with Proxy(port) as proxy:
        async with Sessions(f"http://127.0.0.1:{proxy.port}", served.key) as sessions:
            id_ = (await sessions.create(echo, ME))["sessionId"]
            async with sessions.room(id_, ME) as room:
                await until(room, "room_joined", channelId=id_)
                await room.say("one")
                answer = await until(room, "messageBroadcast", source="agent_response")
                assert answer.data["text"] == "one"
                proxy.cut()
                await until(room, "room_joined", channelId=id_)
                await sessions.send(id_, "two")
                answer = await until(room, "messageBroadcast", source="agent_response")
                assert answer.data["text"] == "two"


async def test_a_room_warns_and_says_that_the_session_is_over(
    sessions: Sessions, echo: str
) -> None:
    id_ = (await sessions.create(echo, ME))["sessionId"]
    async with sessions.room(id_, ME) as room:
        await until(room, "room_joined")  # before the time runs
        await sessions.heartbeat(id_)
        await sessions.set_timeout(id_, timeoutMinutes=0.03)
        await until(room, "sessionRenewed", sessionId=id_)
        await until(room, "sessionExpirationWarning", sessionId=id_)
        await until(room, "sessionExpired", sessionId=id_)
    with pytest.raises(ApiError, match="410 SESSION_EXPIRED"):
        await sessions.heartbeat(id_)


def test_the_example_runs(served: Served) -> None:
    example = Path(__file__).parents[2] / "clients" / "python" / "example.py"
    where = {"INTURN_URL": served.url, "INTURN_API_KEY": served.key}
    done = subprocess.run(
        [sys.executable, example],
        env={**os.environ, **where},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[-3:] == ["client_chat Hello", "agent_response Hello", ""]
