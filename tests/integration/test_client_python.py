"""The Python client over the native contract, against a real server and a network with gaps."""

import time
from collections.abc import AsyncIterator, Iterator
from itertools import pairwise

import httpx
import pytest

from inturn_client import ApiError, Event, Inturn
from tests.integration.network import Network
from tests.integration.serving import Served, serving


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("served")) as server:
        yield server


@pytest.fixture
def network() -> Network:
    return Network()


@pytest.fixture
async def inturn(served: Served, network: Network) -> AsyncIterator[Inturn]:
    async with Inturn(served.url, served.key, transport=network) as client:
        yield client


async def test_a_conversation_from_beginning_to_end(inturn: Inturn) -> None:
    session = await inturn.create("echo", user_id="ada", metadata={"channel": "web"})
    assert (session["agent"], session["user_id"]) == ("echo", "ada")
    for said in ("one", "two", "three"):
        run = await inturn.send(session["id"], said)
        run = await inturn.wait(run["id"])
        assert (run["status"], run["output"] and run["output"]["content"]) == ("succeeded", said)
    read = [each["content"] async for each in inturn.messages(session["id"], limit=2)]
    assert read == ["one", "one", "two", "two", "three", "three"]
    await inturn.delete(session["id"])
    with pytest.raises(ApiError, match="404 not_found") as refused:
        await inturn.send(session["id"], "Anybody there?")
    assert (refused.value.status, refused.value.code) == (404, "not_found")


async def test_a_post_may_wait_for_its_answer(inturn: Inturn) -> None:
    session = await inturn.create("echo")
    run = await inturn.send(session["id"], "Hello", wait=10)
    assert run["status"] == "succeeded"


async def streamed(inturn: Inturn, text: str) -> list[Event]:
    session = await inturn.create("echo")
    run = await inturn.send(session["id"], text)
    return [event async for event in inturn.stream(run["id"])]


async def test_a_stream_tells_a_run_to_its_end(inturn: Inturn) -> None:
    text = "line \u2028 and paragraph \u2029 and next \x85 line"
    events = await streamed(inturn, text)
    assert (events[0].name, events[-1].name) == ("run.started", "run.settled")
    [whole] = [each.data["message"] for each in events if each.name == "message.completed"]
    assert whole["content"] == text


async def test_a_stream_that_breaks_goes_on_where_it_was(inturn: Inturn, network: Network) -> None:
    network.cut_after = 450  # in the middle of an event
    events = await streamed(inturn, "Hello")
    resumed = [
        each.headers["Last-Event-ID"] for each in network.sent if "Last-Event-ID" in each.headers
    ]
    ids = [each.id for each in events]
    assert resumed[0] in ids[:-1]
    numbers = [int(str(each).partition("-")[2]) for each in ids]
    assert all(after == before + 1 for before, after in pairwise(numbers))
    assert events[-1].name == "run.settled"


@pytest.mark.parametrize("seen", [None, httpx.Response(503, headers={"Retry-After": "0"}, json={})])
async def test_what_got_no_answer_is_sent_again_and_happens_once(
    inturn: Inturn, network: Network, seen: httpx.Response | None
) -> None:
    session = await inturn.create("echo")
    network.sent.clear()
    network.plans = [seen]
    run = await inturn.send(session["id"], "Only once")
    assert (len(network.sent), len(network.keys)) == (2, 1)
    await inturn.wait(run["id"])
    assert [each["role"] async for each in inturn.messages(session["id"])] == ["user", "assistant"]


async def test_a_producer_may_keep_its_own_key(inturn: Inturn) -> None:
    session = await inturn.create("echo", key="order-1")
    assert await inturn.create("echo", key="order-1") == session
    runs = [await inturn.send(session["id"], "Once", key="order-2") for _ in range(2)]
    assert runs[0]["id"] == runs[1]["id"]


async def test_it_comes_again_when_the_server_said(served: Served, network: Network) -> None:
    async with Inturn(served.url, served.limited_key("1/s"), transport=network) as inturn:
        session = await inturn.create("echo")
        await inturn.send(session["id"], "one")
        began = time.monotonic()
        await inturn.send(session["id"], "two")
    assert network.statuses == [201, 202, 429, 202]
    assert time.monotonic() - began > 0.9


async def test_it_does_not_wait_longer_than_its_patience(served: Served) -> None:
    async with Inturn(served.url, served.limited_key("1/h")) as inturn:
        session = await inturn.create("echo")
        await inturn.send(session["id"], "one")
        with pytest.raises(ApiError, match="429 rate_limited"):
            await inturn.send(session["id"], "two")


async def test_a_server_that_stays_away_is_an_error(
    inturn: Inturn, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("random.uniform", lambda *_: 0.0)
    network.plans = [None] * inturn.tries
    with pytest.raises(httpx.TransportError):
        await inturn.create("echo")
    assert len(network.sent) == inturn.tries
