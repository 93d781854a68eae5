"""`inturn doctor` names the row that breaks an invariant; constraints are dropped to break one."""

import asyncio
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from tests.command import Process, run, run_here
from tests.services import free_port

KEY = "a-key-for-the-doctor"

Sql = Callable[..., None]


@dataclass(frozen=True)
class Patient:
    """A database after two runs of one session, its server stopped, its constraints gone."""

    folder: Path
    settings: dict[str, Any]
    session: str
    run: str
    sql: Sql


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def patient(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Patient:
    folder = tmp_path_factory.mktemp("doctor")
    settings: dict[str, Any] = {"BOOTSTRAP_KEY": KEY}
    if request.param == "postgres":
        url = request.getfixturevalue("new_database")()
        settings["DATABASE_URL"] = url
        sql = postgres(url)
    else:
        sql = sqlite(folder / "data" / "inturn.db")
    session, run_id = history(folder, settings)
    sql("DROP INDEX uq_runs_live")
    if request.param == "postgres":
        sql(
            "DO $$ DECLARE name text; BEGIN FOR name IN SELECT conname FROM pg_constraint "
            "WHERE contype = 'c' AND conrelid = 'runs'::regclass "
            "LOOP EXECUTE 'ALTER TABLE runs DROP CONSTRAINT ' || name; END LOOP; END $$"
        )
    return Patient(folder, settings, session, run_id, sql)


def history(folder: Path, settings: dict[str, Any]) -> tuple[str, str]:
    """Say two things in one session, and stop the server."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with Process("serve", "--port", str(port), folder=folder, url=url, **settings) as server:
        server.until_ready()
        with httpx.Client(base_url=url, headers={"X-API-Key": KEY}, trust_env=False) as client:
            session = client.post("/v1/sessions", json={"agent": "echo"}).json()["id"]
            for _ in range(2):
                said = client.post(
                    f"/v1/sessions/{session}/messages",
                    json={"content": "x"},
                    headers={"Prefer": "wait=20"},
                    timeout=30,
                ).json()
                assert said["run"]["status"] == "succeeded"
        assert server.stop() == 0
    return session.removeprefix("sess_"), said["run"]["id"].removeprefix("run_")


def sqlite(path: Path) -> Sql:
    def sql(statement: str) -> None:
        connection = sqlite3.connect(path)
        connection.execute("PRAGMA ignore_check_constraints = ON")
        with connection:
            connection.execute(statement)
        connection.close()

    return sql


def postgres(url: str) -> Sql:
    async def execute(statement: str) -> None:
        connection = await asyncpg.connect(url.replace("+asyncpg", ""))
        await connection.execute(statement)
        await connection.close()

    return lambda statement: asyncio.run(execute(statement))


def test_a_sound_database_is_healthy_and_its_sizes_are_told(patient: Patient) -> None:
    found = run("doctor", "--sizes", folder=patient.folder, **patient.settings)
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout.startswith("healthy")
    table, rows, *_ = next(line for line in found.stdout.splitlines() if "runs " in line).split()
    assert (table, rows) == ("runs", "2")
    assert "deltas of settled runs" in found.stdout


@pytest.mark.parametrize(
    ("invariant", "breaks", "mends"),
    [
        (
            2,
            "UPDATE runs SET settled_at = NULL WHERE id = '{run}'",
            "UPDATE runs SET settled_at = stored_at WHERE id = '{run}'",
        ),
        (
            3,
            "UPDATE runs SET status = 'waiting', settled_at = NULL WHERE session_id = '{session}'",
            "UPDATE runs SET status = 'succeeded', settled_at = 1 WHERE session_id = '{session}'",
        ),
        (
            5,
            "UPDATE messages SET role = 'system' WHERE run_id = '{run}' AND role = 'assistant'",
            "UPDATE messages SET role = 'assistant' WHERE run_id = '{run}' AND role = 'system'",
        ),
    ],
)
def test_a_broken_row_is_named_with_its_invariant(
    patient: Patient, invariant: int, breaks: str, mends: str
) -> None:
    ids = {"run": patient.run, "session": patient.session}
    patient.sql(breaks.format(**ids))
    try:
        found = run_here("doctor", folder=patient.folder, **patient.settings)
    finally:
        patient.sql(mends.format(**ids))
    assert (found.returncode, found.stderr) == (1, "")
    assert any(
        f"run_{patient.run}" in line and f"(invariant {invariant}:" in line
        for line in found.stdout.splitlines()
    ), found.stdout
