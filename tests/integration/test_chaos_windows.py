"""A crowd before few slots: announcements stay few, idle workers get them, nobody is locked out."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio

from tests.integration.conftest import Apart
from tests.integration.fleet import LONG, Fleet, ready, script

pytestmark = pytest.mark.asyncio(loop_scope="module")

HEADS = 10_000 if LONG else 400
SLOTS, WINDOW = 10, 20  # twice the slots, for one principal
START_SECONDS = 5.0

ONE = ("worker", "--processes", "1")
NARROW = """
[[agents]]
name = "narrow"
kind = "scripted"
pool = "narrow"
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def fleet(
    new_database: Callable[[], str],
    broker_url: str,
    apart: Apart,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Fleet]:
    """The default pool has a worker of four slots and a wide one, the narrow pool none yet."""
    folder = tmp_path_factory.mktemp("windows")
    (folder / "agents.toml").write_text(NARROW)
    settings = apart(new_database(), broker_url, "narrow")
    async with Fleet(folder, MAX_QUEUED=1_000_000, **settings) as fleet:
        fleet.command("migrate")
        await ready(
            fleet.start("ingress"),
            fleet.start("sweeper"),
            fleet.start(*ONE, "--slots", "4"),
            fleet.start(*ONE, "--slots", "100"),
        )
        yield fleet


async def test_what_a_full_worker_cannot_take_reaches_the_idle_one(fleet: Fleet) -> None:
    sessions = await fleet.sessions(36)
    receipts = await fleet.post_all((each, script(["sleep", START_SECONDS])) for each in sessions)
    history = await fleet.settled(20)
    history.assert_answered_once(receipts)
    assert not history.given_back(receipts)
    slowest = max(run.waited for run in history.of(receipts))
    print(f"the last of 36 started after {slowest:.2f} s")  # noqa: T201  # shown by -s
    assert slowest < START_SECONDS


async def test_many_heads_of_one_principal_lock_nobody_out(fleet: Fleet) -> None:
    made = await fleet.client.post(
        "/v1/keys", json={"name": "late", "scope": "user", "user_id": "late"}
    )
    late = {"X-API-Key": made.raise_for_status().json()["key"]}
    session = await fleet.client.post("/v1/sessions", json={"agent": "narrow"}, headers=late)
    crowd = await fleet.sessions(HEADS, "narrow")
    receipts = await fleet.post_all((each, script(["sleep", 1.0])) for each in crowd)
    assert all(receipt.accepted for receipt in receipts)
    announced: list[int] = []
    watching = asyncio.create_task(fleet.watch("dispatch = 'announced'", announced))
    await fleet.up(*ONE, "--slots", str(SLOTS), "--pool", "narrow")
    await fleet.until_some(SLOTS, "status = 'running'", 10)
    last = await fleet.post(session.json()["id"], script(), **late)

    async def started() -> bool:
        return (await fleet.run(last)).claimed_at is not None

    await fleet.until(started, 2 * START_SECONDS, "the last of all started")
    watching.cancel()
    assert await fleet.count("dispatch = 'ready'") > HEADS / 4
    waited = (await fleet.run(last)).waited
    print(f"behind {HEADS} heads after {waited:.2f} s; {max(announced)} announced")  # noqa: T201  # shown by -s
    assert waited < START_SECONDS
    assert 0 < max(announced) <= WINDOW
