"""A fleet of real `inturn` processes over one database; its history is read from outside.

Commands, HTTP and plain SQL drivers: nothing of the code under test runs in the test's process.
"""

import asyncio
import contextlib
import json
import os
import sqlite3
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg
import httpx
import psutil

from tests.command import Process, run
from tests.integration.history import History, Receipt, Run, Start
from tests.server import Server
from tests.services import LOOPBACK, free_port

T = TypeVar("T")

LONG = bool(os.environ.get("INTURN_TEST_LONG"))  # the sizes and times of the specification

KEY = "a-key-for-the-fleet"
LEASE, HEARTBEAT, SWEEP = 3.0, 0.75, 0.4
GIVE_BACK_SECONDS = LEASE + 2 * SWEEP
SETTINGS: dict[str, Any] = {
    "BOOTSTRAP_KEY": KEY,
    "SCRIPTED_AGENT": "true",
    "LEASE_SECONDS": LEASE,
    "HEARTBEAT_SECONDS": HEARTBEAT,
    "SWEEP_SECONDS": SWEEP,
}

_AT_ONCE = 32

_RUNS = """
    SELECT r.id, r.session_id, r.seq, r.status, r.attempt, r.losses, r.worker_id, r.stored_at,
        r.claimed_at,
        (SELECT count(*) FROM messages m WHERE m.run_id = r.id AND m.role = 'assistant')
    FROM runs r
"""
_STARTS = """
    SELECT a.run_id, r.session_id, a.worker_id, a.claimed_at, a.ended_at, a.outcome
    FROM attempts a JOIN runs r ON r.id = a.run_id ORDER BY a.claimed_at, a.fence
"""

Row = tuple[Any, ...]


class Fleet:
    """Processes, a client and a database; the processes are gone at the end of the block."""

    def __init__(self, folder: Path, **settings: Any) -> None:  # noqa: ANN401  # of any process
        self._folder = folder
        self._settings = SETTINGS | settings
        self._processes: list[Process] = []
        self._port = free_port()
        self.client = httpx.AsyncClient(
            base_url=f"http://{LOOPBACK}:{self._port}",
            headers={"X-API-Key": KEY},
            # Gives up an idle connection before the server does, which would race with a call.
            limits=httpx.Limits(max_connections=_AT_ONCE + 2, keepalive_expiry=2),
            timeout=20,
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for process in self._processes:
            process.kill()
        await self.client.aclose()

    def command(self, *arguments: str) -> str:
        """Run a verb to its end, and see that it succeeds."""
        ended = run(*arguments, folder=self._folder, **self._settings)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    def start(self, *arguments: str, **settings: Any) -> Process:  # noqa: ANN401  # of a process
        """Start a process; HTTP is always on the same port, unless it is given another PORT."""
        http = arguments[0] in {"serve", "ingress"}
        port = settings.get("PORT") or (self._port if http else free_port())
        process = Process(
            *arguments,
            folder=self._folder,
            url=f"http://{LOOPBACK}:{port}",
            **self._settings | {"PORT" if http else "METRICS_PORT": port} | settings,
        )
        self._processes.append(process)
        return process

    async def up(self, *arguments: str, **settings: Any) -> Process:  # noqa: ANN401  # the same
        """Start a process and wait until it is ready."""
        process = self.start(*arguments, **settings)
        await ready(process)
        return process

    async def sessions(self, count: int, agent: str = "scripted") -> list[str]:
        """Create sessions."""
        made = await _in_turns(
            self.client.post("/v1/sessions", json={"agent": agent}) for _ in range(count)
        )
        return [str(each.raise_for_status().json()["id"]) for each in made]

    async def post(self, session: str, content: str, **headers: str) -> Receipt:
        """Say something once; whatever comes of it is in the receipt."""
        began = time.monotonic()
        try:
            answer = await self.client.post(
                f"/v1/sessions/{session}/messages", json={"content": content}, headers=headers
            )
        except httpx.TransportError:
            return Receipt(session, content)
        seconds = time.monotonic() - began
        run_id = answer.json()["run"]["id"].removeprefix("run_") if answer.is_success else ""
        return Receipt(session, content, answer.status_code, run_id, seconds)

    async def post_all(self, said: Iterable[tuple[str, str]]) -> list[Receipt]:
        """Say many things, some at a time."""
        return await _in_turns(self.post(session, content) for session, content in said)

    async def read(self, query: str) -> list[Row]:
        """Ask the database; ids come as 32 hex digits."""
        url = self._settings.get("DATABASE_URL")
        if url is None:
            return _sqlite(self._folder / "data" / "inturn.db", query)
        connection = await asyncpg.connect(url.replace("+asyncpg", ""))
        try:
            rows = await connection.fetch(query)
        finally:
            await connection.close(timeout=5)
        return [tuple(_plain(value) for value in row) for row in rows]

    async def count(self, condition: str) -> int:
        """Count runs."""
        [(number,)] = await self.read(f"SELECT count(*) FROM runs WHERE {condition}")  # noqa: S608  # a test's own words
        return int(number)

    async def history(self) -> History:
        """Read what happened until now."""
        starts = [Start(*row) for row in await self.read(_STARTS)]
        return History({row[0]: Run(*row) for row in await self.read(_RUNS)}, starts)

    async def run(self, receipt: Receipt) -> Run:
        """Read one run."""
        [row] = await self.read(f"{_RUNS} WHERE r.id = '{receipt.run}'")
        return Run(*row)

    async def until(self, found: Callable[[], Awaitable[T]], within: float, what: str) -> T:
        """Poll until `found` returns something true."""
        deadline = time.monotonic() + within
        while not (value := await found()):
            if time.monotonic() > deadline:
                message = f"not within {within:g} s: {what}\n{await self._picture()}"
                raise AssertionError(message)
            await asyncio.sleep(0.05)
        return value

    async def until_some(self, number: int, condition: str, within: float) -> None:
        """Wait until at least that many runs are so."""

        async def enough() -> bool:
            return await self.count(condition) >= number

        await self.until(enough, within, f"{number} runs: {condition}")

    async def settled(self, within: float) -> History:
        """Wait until no run is unfinished."""

        async def none_left() -> bool:
            return await self.count("settled_at IS NULL") == 0

        await self.until(none_left, within, "every run settled")
        return await self.history()

    async def watch(self, condition: str, seen: list[int]) -> None:
        """Note again and again how many runs are so, until cancelled."""
        while True:
            seen.append(await self.count(condition))
            await asyncio.sleep(0.05)

    async def _picture(self) -> str:
        with contextlib.suppress(OSError, sqlite3.Error, asyncpg.PostgresError):
            query = "SELECT status, dispatch, wait_cause, count(*) FROM runs GROUP BY 1, 2, 3"
            tails = (f"{each.log}\n{each.said[-1500:]}" for each in self._processes)
            return "\n".join([repr(await self.read(query)), *tails])
        return "the database is away"


async def ready(*processes: Process) -> None:
    """Wait until each of them is; they start at the same time."""
    await asyncio.gather(*(asyncio.to_thread(each.until_ready) for each in processes))


async def out_of_service(server: Server, seconds: float) -> None:
    """Stop a server that the fleet stands on, for that long."""
    await asyncio.to_thread(server.stop)
    await asyncio.sleep(seconds)
    await asyncio.to_thread(server.start)


def script(*steps: list[Any], reply: object = "done") -> str:
    """Write what the scripted agent is told."""
    return json.dumps({"do": steps, "reply": str(reply)})


def pid_at(process: Process) -> int:
    """Find the process that listens on its port: of a worker, the child that runs the agents."""
    port = urlsplit(process.url).port
    for connection in psutil.net_connections("tcp4"):
        here = connection.status == psutil.CONN_LISTEN and connection.laddr[1:] == (port,)
        if here and connection.pid:
            return connection.pid
    message = f"nobody listens at {process.url}"
    raise AssertionError(message)


async def _in_turns(calls: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Not all at once: httpx is slow when many wait for a connection."""
    turn = asyncio.Semaphore(_AT_ONCE)

    async def take(call: Coroutine[Any, Any, T]) -> T:
        async with turn:
            return await call

    return list(await asyncio.gather(*map(take, calls)))


def _sqlite(path: Path, query: str) -> list[Row]:
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def _plain(value: object) -> object:
    return value.hex if isinstance(value, UUID) else value
