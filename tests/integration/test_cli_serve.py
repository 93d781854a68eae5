"""`inturn serve` and its clients, as real processes: SQLite, one folder, one port."""

import json
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.command import Process, eventually, run, run_here
from tests.services import free_port


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("serve")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Process]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with Process("serve", "--port", str(port), folder=folder, url=url) as process:
        yield process.until_ready()


def test_the_three_commands_of_the_banner_work_pasted_in_order(
    server: Process, folder: Path
) -> None:
    commands = [line for line in server.said.splitlines() if "curl -s" in line]
    pasted = subprocess.run(
        ["sh"], input="\n".join(commands), cwd=folder, capture_output=True, text=True, check=True
    )
    decoder = json.JSONDecoder()
    session, rest = pasted.stdout.split("\n", 1)
    said, end = decoder.raw_decode(rest)
    read, _ = decoder.raw_decode(rest[end:].lstrip())
    assert session.startswith("sess_")
    assert said.get("run", said)["status"] == "succeeded", pasted.stdout
    assert said["run"]["output"]["content"] == "Hello, Inturn"
    assert [message["role"] for message in read["data"]] == ["user", "assistant"]


def test_it_says_where_the_docs_are_and_they_are_there(server: Process) -> None:
    assert f"{server.url}/docs" in server.said
    assert httpx.get(f"{server.url}/docs", trust_env=False).status_code == httpx.codes.OK


def test_send_prints_the_answer_alone_and_goes_on_in_a_session(
    server: Process, folder: Path
) -> None:
    first = run("send", "one", folder=folder, URL=server.url)
    assert (first.returncode, first.stdout) == (0, "one\n")
    session = first.stderr.split()[1]
    second = run("send", "-", "--session", session, folder=folder, stdin="two", URL=server.url)
    assert (second.returncode, second.stdout) == (0, "two\n")
    assert second.stderr.split()[1] == session


def test_send_without_waiting_prints_the_run(server: Process, folder: Path) -> None:
    sent = run_here("send", "later", "--wait", "0", folder=folder, URL=server.url)
    assert sent.returncode == 0
    assert sent.stdout.startswith("run_")
    sent = run_here("send", "now", "--json", folder=folder, URL=server.url)
    assert json.loads(sent.stdout)["status"] == "succeeded"


def test_watch_follows_the_status_until_nothing_is_left(server: Process, folder: Path) -> None:
    session = run_here("send", "hello", folder=folder, URL=server.url).stderr.split()[1]
    watched = run_here("watch", session, "--json", "--until-idle", folder=folder, URL=server.url)
    assert watched.returncode == 0
    assert json.loads(watched.stdout.splitlines()[-1])["status"] == "idle"
    shown = run_here("watch", session, "--until-idle", folder=folder, URL=server.url)
    assert shown.returncode == 0
    assert "assistant" in shown.stdout
    assert "idle" in shown.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("send", "x", "--agent", "nobody"), "not_found: No such agent."),
        (("watch", "sess_1"), "validation_failed"),
        (("watch", "sess_" + "0" * 32), "not_found: No such session."),
    ],
)
def test_what_the_server_refuses_is_one_sentence(
    server: Process, folder: Path, arguments: tuple[str, ...], said: str
) -> None:
    refused = run_here(*arguments, folder=folder, URL=server.url)
    assert refused.returncode == 2
    assert said in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


def test_keys_go_through_the_running_server(server: Process, folder: Path) -> None:
    made = run_here("keys", "create", "--name", "shop", "--json", folder=folder, URL=server.url)
    assert made.returncode == 0, made.stderr
    key = json.loads(made.stdout)
    sent = run_here("send", "hi", folder=folder, URL=server.url, API_KEY=key["key"])
    assert (sent.returncode, sent.stdout) == (0, "hi\n")

    listed = run_here("keys", "list", "--json", folder=folder, URL=server.url)
    assert key["id"] in [json.loads(line)["id"] for line in listed.stdout.splitlines()]
    assert key["key"] not in listed.stdout

    words = ("keys", "rotate", key["id"], "--overlap-seconds", "60", "--json")
    rotated = json.loads(run_here(*words, folder=folder, URL=server.url).stdout)
    for secret in (key["key"], rotated["key"]):
        sent = run_here("send", "hi", folder=folder, URL=server.url, API_KEY=secret)
        assert (sent.returncode, sent.stdout) == (0, "hi\n")
    assert rotated["old_secret_until"] is not None
    assert run_here("keys", "revoke", key["id"], folder=folder, URL=server.url).returncode == 0
    sent = run_here("send", "hi", folder=folder, URL=server.url, API_KEY=key["key"])
    assert sent.returncode == 2
    assert "unauthenticated" in sent.stderr


def test_the_doctor_reads_beside_the_running_server(server: Process, folder: Path) -> None:
    assert server.url
    found = run("doctor", folder=folder)
    assert (found.returncode, found.stderr) == (0, "")
    assert "healthy" in found.stdout


def test_a_second_process_on_the_folder_is_refused(server: Process, folder: Path) -> None:
    assert server.url
    second = run("serve", "--port", str(free_port()), folder=folder)
    assert second.returncode == 2
    assert "another process" in second.stderr
    assert len(second.stderr.splitlines()) == 1


def test_a_taken_port_is_refused(server: Process, folder: Path) -> None:
    second = run("serve", "--port", server.url.rpartition(":")[2], folder=folder)
    assert second.returncode == 2
    assert "cannot listen on 127.0.0.1 port" in second.stderr
    assert len(second.stderr.splitlines()) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_drains_ends_with_0_and_goes_on_with_the_same_key(
    tmp_path: Path, number: signal.Signals
) -> None:
    keys = []
    for _ in range(2):
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        with Process("serve", "--port", str(port), folder=tmp_path, url=url) as process:
            process.until_ready()
            keys.append((tmp_path / "data" / "dev.key").read_text())
            eventually(lambda: "API docs" in process.said, 5, process.said)
            assert run_here("send", "hi", folder=tmp_path, URL=url).stdout == "hi\n"
            assert process.stop(number) == 0, process.said
            assert "Traceback" not in process.said
    assert keys[0] == keys[1]


def test_a_held_poll_is_answered_when_the_server_leaves(tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with Process("serve", "--port", str(port), folder=tmp_path, url=url) as process:
        process.until_ready()
        session = run_here("send", "hi", folder=tmp_path, URL=url).stderr.split()[1]
        headers = {"X-API-Key": (tmp_path / "data" / "dev.key").read_text().strip()}
        with httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=30) as client:
            path = f"/v1/sessions/{session}/status"
            seen = {"If-None-Match": client.get(path).headers["ETag"]}
            with ThreadPoolExecutor() as pool:
                held = pool.submit(client.get, path, params={"wait": 30}, headers=seen)
                eventually(lambda: _requests(url) and not held.done(), 5, "the poll is held")
                assert process.stop() == 0
                assert held.result().status_code == httpx.codes.NOT_MODIFIED
        assert "Traceback" not in process.said


def _requests(url: str) -> bool:
    return "inturn_requests" in httpx.get(f"{url}/metrics", trust_env=False).text


def test_keys_take_the_lock_when_no_server_runs(tmp_path: Path) -> None:
    words = ("--name", "ops", "--scope", "admin", "--rate-limit", "7/h", "--max-running", "3")
    made = run_here("keys", "create", *words, "--json", folder=tmp_path)
    assert made.returncode == 0, made.stderr
    key = json.loads(made.stdout)
    rotated = run_here("keys", "rotate", key["id"], folder=tmp_path)
    assert rotated.returncode == 0, rotated.stderr
    assert rotated.stdout.strip() not in {"", key["key"]}
    listed = run_here("keys", "list", folder=tmp_path)
    assert listed.returncode == 0
    [row] = [line for line in listed.stdout.splitlines() if "ops" in line]
    assert ("7/h" in row, " 3 " in row) == (True, True)
