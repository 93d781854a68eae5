"""Many messages in few requests, against real processes: each answered once, each in turn."""

from collections.abc import Callable
from pathlib import Path

from tests.integration.conftest import Apart
from tests.integration.fleet import LONG, Fleet, ready
from tests.integration.history import Receipt

MESSAGES, SESSIONS = (10_000, 1_000) if LONG else (1_000, 100)
AT_ONCE = 500
SECONDS = MESSAGES / 100 + 20


async def test_batches_on_one_process(tmp_path: Path) -> None:
    async with Fleet(tmp_path) as fleet:
        await fleet.up("serve")
        await assert_answered(fleet)


async def test_batches_on_many_processes(
    new_database: Callable[[], str], broker_url: str, apart: Apart, tmp_path: Path
) -> None:
    async with Fleet(tmp_path, **apart(new_database(), broker_url)) as fleet:
        fleet.command("migrate")
        await ready(*(fleet.start(each) for each in ("ingress", "worker", "worker", "sweeper")))
        await assert_answered(fleet)


async def assert_answered(fleet: Fleet) -> None:
    sessions = await fleet.sessions(SESSIONS, agent="echo")
    receipts: list[Receipt] = []
    for first in range(0, MESSAGES, AT_ONCE):
        numbers = range(first, min(first + AT_ONCE, MESSAGES))
        items = [
            {"session_id": sessions[number % SESSIONS], "content": f"message {number}"}
            for number in numbers
        ]
        answer = (await fleet.client.post("/v1/messages:batch", json=items)).raise_for_status()
        receipts += [
            Receipt(
                item["session_id"],
                item["content"],
                result["status"],
                result["run"]["id"].removeprefix("run_"),
            )
            for item, result in zip(items, answer.json()["results"], strict=True)
        ]
    history = await fleet.settled(SECONDS)
    assert len(history.runs) == MESSAGES
    assert all(receipt.accepted for receipt in receipts)
    history.assert_answered_once(receipts)
    history.assert_in_turn()
    for session in sessions[:3]:
        posted = [receipt.run for receipt in receipts if receipt.session == session]
        assert posted == sorted(posted, key=lambda run: history.runs[run].seq)
