"""Webhooks between real processes and a real receiver: signed, tried again, never lost."""

import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest_asyncio

from tests.integration.conftest import Apart
from tests.integration.fleet import Fleet, pid_at, ready, script
from tests.integration.receiver import Receiver

EVENTS = ["run.succeeded", "run.failed", "run.cancelled"]


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as opened:
        yield opened


async def call(fleet: Fleet, method: str, path: str, body: object = None) -> dict[str, Any]:
    answer = await fleet.client.request(method, f"/v1{path}", json=body)
    assert answer.is_success, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def delivered(fleet: Fleet, path: str, count: int) -> list[dict[str, Any]]:
    """Wait until so many are delivered, and read the log."""

    async def enough() -> list[dict[str, Any]] | None:
        log = await call(fleet, "GET", f"{path}/deliveries?status=delivered&limit=200")
        return log["data"] if len(log["data"]) >= count else None

    return await fleet.until(enough, 30, f"{count} deliveries") or []


async def test_a_subscriber_of_an_embedded_server(tmp_path: Path, receiver: Receiver) -> None:
    failures = [500]
    receiver.answer = lambda _: failures.pop() if failures else 204
    async with Fleet(tmp_path, ALLOW_PRIVATE_URLS="true") as fleet:
        await fleet.up("serve")
        hook = await call(fleet, "POST", "/webhooks", {"url": receiver.url(), "events": EVENTS})
        path = f"/webhooks/{hook['id']}"
        [session] = await fleet.sessions(1)
        receipt = await fleet.post(session, script(reply="done"))
        await receiver.until(lambda: len(receiver.posts) == 1)
        [first] = receiver.posts
        said = first.verified(hook["secret"])
        assert said["type"] == "run.succeeded"
        assert said["data"]["run"]["id"] == f"run_{receipt.run}"
        assert said["data"]["run"]["output"]["content"] == "done"

        renewed = await call(fleet, "POST", f"{path}/rotate", {"overlap_seconds": 600})
        await receiver.until(lambda: len(receiver.posts) == 2)
        [entry] = await delivered(fleet, path, 1)
        assert [each["status_code"] for each in entry["attempts"]] == [500, 204]
        assert {(post.id, post.body) for post in receiver.posts} == {(entry["id"], first.body)}
        for secret in (hook["secret"], renewed["secret"]):
            assert receiver.posts[1].verified(secret) == said

        await call(fleet, "POST", f"{path}/deliveries/{entry['id']}/redeliver")
        await receiver.until(lambda: len(receiver.posts) == 3)
        assert (receiver.posts[2].id, receiver.posts[2].body) == (first.id, first.body)

        shown = await call(fleet, "POST", "/webhooks/callbacks/rotate")
        message = {"content": script(), "callback_url": receiver.url("/called")}
        await call(fleet, "POST", f"/sessions/{session}/messages", message)
        await receiver.until(lambda: len(receiver.posts) == 4)
        [called] = [post for post in receiver.posts if post.path == "/called"]
        assert called.verified(shown["secret"])["type"] == "run.succeeded"


async def test_a_worker_that_dies_between_a_delivery_and_its_record(
    new_database: Callable[[], str],
    broker_url: str,
    apart: Apart,
    tmp_path: Path,
    receiver: Receiver,
) -> None:
    settings = apart(new_database(), broker_url) | {"ALLOW_PRIVATE_URLS": "true"}
    async with Fleet(tmp_path, **settings) as fleet:
        fleet.command("migrate")
        worker = fleet.start("worker", "--processes", "1")
        await ready(fleet.start("ingress"), fleet.start("sweeper"), worker)
        hook = await call(fleet, "POST", "/webhooks", {"url": receiver.url(), "events": EVENTS})
        sessions = await fleet.sessions(30)
        receiver.open.clear()  # it has them, and nobody hears so
        receipts = await fleet.post_all((session, script()) for session in sessions)
        await fleet.settled(15)
        await receiver.until(lambda: bool(receiver.posts))
        os.kill(pid_at(worker), signal.SIGKILL)
        before = {post.id for post in receiver.posts}
        receiver.open.set()
        log = await asyncio.wait_for(delivered(fleet, f"/webhooks/{hook['id']}", len(receipts)), 15)
        times = [post.id for post in receiver.posts]
        assert {each["run_id"] for each in log} == {f"run_{each.run}" for each in receipts}
        assert before <= {each["id"] for each in log}
        assert all(times.count(each) >= 2 for each in before)
        assert len({(post.id, post.body) for post in receiver.posts}) == len(receipts)
