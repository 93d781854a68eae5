"""CLEAR_SESSIONS_ON_SHUTDOWN: what ends with the server, and with which of many."""

import signal
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import Apart
from tests.integration.fleet import Fleet, ready
from tests.services import free_port

CLEAR = {"CLEAR_SESSIONS_ON_SHUTDOWN": "true"}


async def opened(fleet: Fleet) -> tuple[str, str]:
    """A session of the contract that forgets them, in which a run waits, and one of our own."""
    found = await fleet.client.get("/v1/agents/scripted")
    agent_id = found.raise_for_status().json()["id"].removeprefix("agent_")
    body = {"agentId": dashed(agent_id), "userId": dashed("a" * 32)}
    made = await fleet.client.post("/api/messaging/sessions", json=body)
    session = str(made.raise_for_status().json()["sessionId"]).replace("-", "")
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    later = {"content": "later", "not_before": tomorrow.isoformat()}
    posted = await fleet.client.post(f"/v1/sessions/sess_{session}/messages", json=later)
    posted.raise_for_status()
    [own] = await fleet.sessions(1)
    return session, own.removeprefix("sess_")


def dashed(digits: str) -> str:
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


async def ended(fleet: Fleet) -> set[str]:
    """Sessions that ended."""
    rows = await fleet.read("SELECT id FROM sessions WHERE ended_at IS NOT NULL")
    return {str(row[0]) for row in rows}


async def cancelled(fleet: Fleet) -> list[tuple[Any, ...]]:
    return await fleet.read("SELECT status, cancel_reason FROM runs")


@pytest.mark.parametrize(
    ("settings", "number", "cleared"),
    [
        (CLEAR, signal.SIGTERM, True),
        (CLEAR, signal.SIGKILL, False),
        ({}, signal.SIGTERM, False),
    ],
    ids=["stopped", "killed", "not-asked"],
)
async def test_they_end_with_a_server_of_its_own(
    tmp_path: Path, settings: dict[str, str], number: signal.Signals, *, cleared: bool
) -> None:
    async with Fleet(tmp_path, **settings) as fleet:
        server = await fleet.up("serve")
        session, _ = await opened(fleet)
        code = server.stop(number)
        assert code == (0 if number is not signal.SIGKILL else -signal.SIGKILL), server.said
        assert await ended(fleet) == ({session} if cleared else set())
        run = ("cancelled", "server_shutdown") if cleared else ("queued", None)
        assert await cancelled(fleet) == [run]
        if cleared:
            await fleet.up("serve")
            read = await fleet.client.get(f"/v1/sessions/sess_{session}")
            assert read.json()["status"] == "ended"


async def test_they_end_with_the_last_of_many(
    tmp_path: Path,
    new_database: Callable[[], str],
    broker_url: str,
    apart: Apart,
) -> None:
    settings = apart(new_database(), broker_url) | CLEAR
    async with Fleet(tmp_path, **settings) as fleet:
        fleet.command("migrate")
        last = fleet.start("ingress")
        first, killed = (fleet.start("ingress", PORT=free_port()) for _ in range(2))
        await ready(last, first, killed)
        session, _ = await opened(fleet)
        killed.kill()
        assert first.stop() == 0, first.said
        assert await ended(fleet) == set()
        again = await fleet.up("ingress", PORT=free_port())
        assert again.stop() == 0, again.said
        assert await ended(fleet) == set()
        assert last.stop() == 0, last.said
        assert await ended(fleet) == {session}
        assert await cancelled(fleet) == [("cancelled", "server_shutdown")]
