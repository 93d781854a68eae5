"""The Procfile's commands, each a real process with an environment of its own."""

import shlex
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.dispatch.topology import declarations, queue_name
from tests.command import Process, run, run_here
from tests.services import free_port

PROCFILE = Path(__file__).parents[2] / "Procfile"
KEY = "a-key-for-the-procfile"


def commands() -> dict[str, list[str]]:
    """Each process's arguments to `inturn`."""
    lines = [line.partition(":") for line in PROCFILE.read_text().splitlines() if line.strip()]
    parsed = {name: shlex.split(command) for name, _, command in lines}
    assert all(words[0] == "inturn" for words in parsed.values())
    return {name: words[1:] for name, words in parsed.items()}


@pytest.fixture
def settings(
    new_database: Callable[[], str], broker_url: str, namespace: str, queues: set[str]
) -> dict[str, Any]:
    space = f"{namespace}.procfile"
    queues.update(name for name, _ in declarations(queue_name(space, "default")))
    return {
        "DATABASE_URL": new_database(),
        "BROKER_URL": broker_url,
        "NAMESPACE": space,
        "BOOTSTRAP_KEY": KEY,
    }


def test_every_process_gets_ready_serves_and_stops(
    tmp_path: Path, settings: dict[str, Any]
) -> None:
    lines = commands()
    assert set(lines) == {"release", "ingress", "worker", "sweeper"}
    released = run(*lines.pop("release"), folder=tmp_path, **settings)
    assert released.returncode == 0, released.stderr
    with ExitStack() as running:
        processes = {
            name: running.enter_context(started(arguments, tmp_path, settings))
            for name, arguments in lines.items()
        }
        for process in processes.values():
            process.until_ready()
        sent = run_here("send", "hi", folder=tmp_path, URL=processes["ingress"].url, API_KEY=KEY)
        assert (sent.returncode, sent.stdout) == (0, "hi\n"), sent.stderr
        for name in ("worker", "sweeper"):
            metrics = httpx.get(f"{processes[name].url}/metrics", trust_env=False)
            assert "inturn_" in metrics.text
        for name, process in processes.items():
            assert process.stop() == 0, f"{name}\n{process.said}"
            assert "Traceback" not in process.said, process.said


def started(arguments: list[str], folder: Path, settings: dict[str, Any]) -> Process:
    """Start one of them; its port is that of HTTP, or of its metrics."""
    port = free_port()
    name = "PORT" if arguments[0] == "ingress" else "METRICS_PORT"
    url = f"http://127.0.0.1:{port}"
    return Process(*arguments, folder=folder, url=url, **{**settings, name: port})
