"""Ingress, two workers and a sweeper on PostgreSQL and RabbitMQ: workers die, freeze and leave."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import httpx
import pytest
import pytest_asyncio

from tests.command import Process
from tests.integration.conftest import Apart
from tests.integration.fleet import GIVE_BACK_SECONDS, LONG, Fleet, pid_at, ready, script
from tests.integration.history import Receipt
from tests.integration.receiver import Receiver, call, delivered, subscribe

pytestmark = pytest.mark.asyncio(loop_scope="module")

DRAIN_SECONDS = 1.0
NOTICE_SECONDS = 2.0  # for a poll to see it, on a machine with other things to do


@dataclass
class Crew:
    """A fleet whose workers are at hand."""

    fleet: Fleet
    workers: list[Process]

    async def at_work(self, count: int, content: str) -> list[Receipt]:
        """Post to as many new sessions, and wait until all of it runs on both workers."""
        await ready(*self.workers)
        await self.fleet.until(self._both_serve, 20, "both workers serve")
        sessions = await self.fleet.sessions(count)
        receipts = await self.fleet.post_all((session, content) for session in sessions)
        await self.fleet.until_some(count, "status = 'running'", 15)
        [(workers,)] = await self.fleet.read(
            "SELECT count(DISTINCT worker_id) FROM runs WHERE status = 'running'"
        )
        assert workers == 2
        return receipts

    async def _both_serve(self) -> bool:
        """Post a little, and see whether each of the living has had some of it."""
        sessions = await self.fleet.sessions(2)
        await self.fleet.post_all((session, script()) for session in sessions)
        await self.fleet.settled(15)
        [(served,)] = await self.fleet.read(
            "SELECT count(DISTINCT a.worker_id) FROM attempts a "
            "JOIN workers w ON w.id = a.worker_id WHERE w.lost_at IS NULL"
        )
        return bool(served == 2)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def crew(
    new_database: Callable[[], str],
    broker_url: str,
    apart: Apart,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Crew]:
    settings = apart(new_database(), broker_url)
    folder = tmp_path_factory.mktemp("crew")
    async with Fleet(
        folder, DRAIN_SECONDS=DRAIN_SECONDS, ALLOW_PRIVATE_URLS="true", **settings
    ) as fleet:
        fleet.command("migrate")
        workers = [fleet.start("worker", "--processes", "1") for _ in range(2)]
        await ready(fleet.start("ingress"), fleet.start("sweeper"), *workers)
        yield Crew(fleet, workers)


async def test_twenty_messages_at_once_are_answered_in_order(crew: Crew) -> None:
    [session] = await crew.fleet.sessions(1)
    receipts = await crew.fleet.post_all(
        (session, script(["sleep", 0.02], reply=number)) for number in range(20)
    )
    history = await crew.fleet.settled(20)
    assert all(receipt.accepted for receipt in receipts)
    history.assert_answered_once(receipts)
    history.assert_in_turn()


async def test_a_frozen_worker_that_thaws_writes_nothing(crew: Crew) -> None:
    """Its agents have long answered when it wakes; others perform the same runs by then."""
    frozen = crew.workers[0]
    receipts = await crew.at_work(12, script(["sleep", 2.0]))
    child = pid_at(frozen)
    os.kill(child, signal.SIGSTOP)
    try:
        await crew.fleet.until_some(1, "losses = 1 AND status = 'running'", 15)
    finally:
        os.kill(child, signal.SIGCONT)
    history = await crew.fleet.settled(20)
    history.assert_answered_once(receipts)
    history.assert_in_turn()
    assert history.given_back(receipts)
    assert "stale_settle_refused" in frozen.said or '"worker_buried"' in frozen.said
    await ready(frozen)  # its replacement


async def test_a_killed_worker_is_missed_in_time(crew: Crew) -> None:
    sessions = await crew.fleet.sessions(200)
    posting = asyncio.create_task(
        crew.fleet.post_all((session, script(["sleep", 1.0])) for session in sessions)
    )
    await crew.fleet.until_some(30, "status = 'running'", 15)
    os.kill(pid_at(crew.workers[0]), signal.SIGKILL)
    within = GIVE_BACK_SECONDS + NOTICE_SECONDS
    receipts_lost = "losses > 0 AND session_id IN ({})".format(
        ", ".join(f"'{each.removeprefix('sess_')}'" for each in sessions)
    )
    await crew.fleet.until_some(1, receipts_lost, within)
    receipts = await posting
    history = await crew.fleet.settled(15)
    history.assert_answered_once(receipts)
    history.assert_in_turn()
    assert history.given_back(receipts)
    crew.fleet.command("doctor")
    await ready(*crew.workers)


async def test_a_run_that_kills_its_worker_fails_alone(crew: Crew) -> None:
    others = 199 if LONG else 20
    sessions = await crew.fleet.sessions(others + 1)
    said = [(session, script(["sleep", 0.5])) for session in sessions]
    said[others // 2] = (sessions[others // 2], script(["sleep", 0.2], ["exit", 9]))
    receipts = await crew.fleet.post_all(said)
    assert all(receipt.accepted for receipt in receipts)
    history = await crew.fleet.settled(120)
    guilty = receipts.pop(others // 2)
    history.assert_answered_once(receipts)
    [failed] = history.of([guilty])
    assert (failed.status, failed.losses) == ("failed", 5)
    answer = await crew.fleet.client.get(f"/v1/runs/run_{guilty.run}")
    assert answer.status_code == httpx.codes.OK
    assert answer.json()["error"]["code"] == "worker_lost"


async def test_workers_that_die_between_a_webhook_and_its_record(crew: Crew) -> None:
    await ready(*crew.workers)
    async with Receiver() as receiver:
        hook = await subscribe(crew.fleet, receiver)
        receiver.open.clear()  # it has what was posted, and nobody hears so
        sessions = await crew.fleet.sessions(30)
        receipts = await crew.fleet.post_all((session, script()) for session in sessions)
        await receiver.until(lambda: bool(receiver.posts))
        for worker in crew.workers:
            os.kill(pid_at(worker), signal.SIGKILL)
        unheard = {post.id for post in receiver.posts}
        receiver.open.set()
        log = await delivered(crew.fleet, f"/webhooks/{hook['id']}", len(receipts))
        assert {each["run_id"] for each in log} == {f"run_{each.run}" for each in receipts}
        posted = [(post.id, post.body) for post in receiver.posts]
        assert {each["id"] for each in log} == {id_ for id_, _ in posted}
        assert len(set(posted)) == len(receipts)
        assert all([id_ for id_, _ in posted].count(each) > 1 for each in unheard)
        await call(crew.fleet, "DELETE", f"/webhooks/{hook['id']}")
    await ready(*crew.workers)


async def test_a_drained_worker_gives_its_runs_to_the_other(crew: Crew) -> None:
    leaving = crew.workers.pop()
    receipts = await crew.at_work(12, script(["sleep", 4.0]))
    assert await asyncio.to_thread(leaving.stop) == 0, leaving.said
    history = await crew.fleet.settled(15)
    history.assert_answered_once(receipts)
    moved = history.given_back(receipts)
    assert moved
    assert {(run.attempt, run.losses) for run in history.of(receipts) if run.id in moved} == {
        (1, 0)
    }
