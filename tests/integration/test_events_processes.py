"""Two ingresses, a worker and a sweeper apart: who follows a run hears each event once.

Clients are cut off after any event and come back anywhere; an ingress and the worker are
killed while a run speaks.
"""

import asyncio
import itertools
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.api.listener import Heard, parse
from tests.command import Process
from tests.integration.conftest import Apart
from tests.integration.fleet import KEY, Fleet, pid_at, ready, script
from tests.services import LOOPBACK, free_port

pytestmark = pytest.mark.asyncio(loop_scope="module")

EVENTS = 200
BEGIN, END = ["run.started", "attempt.started"], ["message.completed", "run.settled"]
TOOL = ["tool.called", "tool.returned"]


@dataclass
class Follower:
    """A client that goes on where it was, at whichever ingress it is told to."""

    url: str
    last: str | None = None
    heard: list[Heard] = field(default_factory=list)
    over: bool = False

    async def read(self, ingress: httpx.AsyncClient, most: int = 1 << 30) -> None:
        """Connect, read at most so many events, and hang up in the middle of whatever comes."""
        headers = {"Accept": "text/event-stream"}
        if self.last is not None:
            headers["Last-Event-ID"] = self.last
        async with ingress.stream("GET", self.url, headers=headers) as stream:
            if stream.status_code == httpx.codes.NO_CONTENT:
                self.over = True
                return
            assert stream.status_code == httpx.codes.OK
            text, fresh = "", list[Heard]()
            async for part in stream.aiter_text():
                text += part
                if len(fresh := parse(text)) >= most:
                    break
            self._take(parse(text)[:most])
            self.over = len(fresh) < most or fresh[-1].type == "run.settled"

    async def insist(self, ingresses: Iterator[httpx.AsyncClient], most: int) -> None:
        """Come back until it is over, whoever goes away meanwhile."""
        async with asyncio.timeout(40):
            while not self.heard or self.heard[-1].type != "run.settled":
                try:
                    await self.read(next(ingresses), most)
                except httpx.TransportError:
                    await asyncio.sleep(0)

    def _take(self, fresh: list[Heard]) -> None:
        if fresh:
            self.heard += fresh
            self.last = fresh[-1].id


@dataclass
class Stage:
    """A fleet with a second ingress, B."""

    fleet: Fleet
    ingress: Process
    worker: Process
    b: httpx.AsyncClient

    @property
    def a(self) -> httpx.AsyncClient:
        return self.fleet.client

    async def play(self, *steps: list[Any], session: str | None = None) -> tuple[str, str]:
        if session is None:
            [session] = await self.fleet.sessions(1)
        receipt = await self.fleet.post(session, script(*steps))
        return session, f"run_{receipt.run}"

    async def whole(self, run: str) -> list[Heard]:
        """Read a run that has settled, page by page."""
        read: list[Heard] = []
        cursor: str | None = "0-0"
        while cursor is not None:
            url = f"/v1/runs/{run}/events?limit=70&after={cursor}"
            page = (await self.b.get(url)).raise_for_status().json()
            read += [Heard(each["id"], each["type"], each["data"]) for each in page["data"]]
            cursor = page["next_cursor"]
        return read


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(
    new_database: Callable[[], str],
    broker_url: str,
    apart: Apart,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Stage]:
    settings = apart(new_database(), broker_url)
    async with Fleet(tmp_path_factory.mktemp("events"), **settings) as fleet:
        fleet.command("migrate")
        ingress, worker = fleet.start("ingress"), fleet.start("worker", "--processes", "1")
        port = free_port()
        other = fleet.start("ingress", PORT=port)
        await ready(ingress, worker, other, fleet.start("sweeper"))
        async with httpx.AsyncClient(
            base_url=f"http://{LOOPBACK}:{port}",
            headers={"X-API-Key": KEY},
            timeout=20,
            trust_env=False,
        ) as b:
            yield Stage(fleet, ingress, worker, b)


async def test_cut_off_after_every_event_of_two_hundred(stage: Stage) -> None:
    """It reads one event, hangs up, and goes on at the other ingress: two hundred times."""
    tools = [["tool", "count", {"n": n}, n] for n in range((EVENTS - 4) // 2)]
    _, run = await stage.play(*tools)
    await stage.fleet.settled(20)
    whole = await stage.whole(run)
    assert [event.type for event in whole] == BEGIN + TOOL * len(tools) + END
    assert len(whole) == EVENTS
    walker = Follower(f"/v1/runs/{run}/events")
    for ingress in itertools.islice(itertools.cycle((stage.a, stage.b)), EVENTS):
        await walker.read(ingress, 1)
    assert walker.heard == whole
    await walker.read(stage.a)
    assert walker.over
    for cut in range(0, EVENTS, 10):
        leaper = Follower(f"/v1/runs/{run}/events", last=whole[cut].id)
        await leaper.read(stage.b)
        assert leaper.heard == whole[cut + 1 :]


async def test_a_run_that_speaks_is_followed_from_everywhere(stage: Stage) -> None:
    """Steadily at B, hanging up again and again, and by long poll; an attempt fails halfway."""
    speech: list[list[Any]] = [
        ["emit", "a"],
        ["tool", "x", None, 1],
        ["think", "b"],
        ["sleep", 0.05],
    ] * 12
    session, run = await stage.play(*speech[:24], ["fail_times", 1], *speech[24:])
    steady = Follower(f"/v1/runs/{run}/events")
    of_session = Follower(f"/v1/sessions/{session}/events")
    restless = [Follower(f"/v1/runs/{run}/events") for _ in range(3)]
    both = (stage.a, stage.b)
    _, polled, *_ = await asyncio.gather(
        steady.read(stage.b),
        _poll(stage.b, run),
        *(
            each.insist(itertools.cycle(both), most)
            for each, most in zip([*restless, of_session], (1, 2, 5, 3), strict=True)
        ),
    )
    whole = await stage.whole(run)
    for follower in (steady, *restless, of_session):
        assert follower.heard == whole
    assert polled == whole
    assert [event.id for event in whole] == [f"2-{n}" for n in range(1, len(whole) + 1)]
    second = [event.type for event in whole].index("attempt.failed") + 1
    assert whole[second].data["attempt"] == 2
    assert _text(whole[:second]) == "a" * 6
    assert _text(whole[second:]) == "a" * 12


async def test_an_ingress_and_the_worker_die_and_nothing_is_lost_or_twice(stage: Stage) -> None:
    speech: list[list[Any]] = [["emit", "."], ["tool", "x", None, 1], ["sleep", 0.1]] * 20
    _, run = await stage.play(*speech)
    follower, steady = (Follower(f"/v1/runs/{run}/events") for _ in range(2))
    following = asyncio.create_task(follower.insist(itertools.cycle((stage.a, stage.b)), 4))
    watching = asyncio.create_task(steady.insist(itertools.repeat(stage.b), 1 << 30))
    await stage.fleet.until(_later(lambda: len(follower.heard) > 4), 15, "it speaks")
    stage.ingress.kill()
    os.kill(pid_at(stage.worker), signal.SIGKILL)
    at = len(follower.heard)
    await stage.fleet.until(_later(lambda: len(follower.heard) > at + 2), 20, "it goes on")
    await stage.fleet.up("ingress")
    await asyncio.gather(following, watching)
    whole = await stage.whole(run)
    assert follower.heard == steady.heard == whole
    assert [event.id for event in whole] == [f"2-{n}" for n in range(1, len(whole) + 1)]
    lost = [event.data["error"]["code"] for event in whole if event.type == "attempt.failed"]
    assert lost == ["worker_lost"]
    await ready(stage.worker)


def _later(true: Callable[[], bool]) -> Callable[[], Any]:
    async def found() -> bool:
        return true()

    return found


def _text(events: list[Heard]) -> str:
    return "".join(event.data["text"] for event in events if event.type == "message.delta")


async def _poll(ingress: httpx.AsyncClient, run: str) -> list[Heard]:
    read: list[Heard] = []
    cursor: str | None = "0-0"
    while cursor is not None:
        url = f"/v1/runs/{run}/events?wait=5&limit=7&after={cursor}"
        page = (await ingress.get(url)).raise_for_status().json()
        read += [Heard(each["id"], each["type"], each["data"]) for each in page["data"]]
        cursor = page["next_cursor"]
    return read
