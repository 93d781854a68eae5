"""What cannot be is one sentence and exit 2, never a traceback."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.command import run, run_here
from tests.services import free_port


def refused(folder: Path, *arguments: str, **settings: str) -> str:
    """Run it, see that it is refused in one line, and return that."""
    return one_line(run_here(*arguments, folder=folder, **settings))


def one_line(ended: subprocess.CompletedProcess[str]) -> str:
    assert ended.returncode == 2, ended.stderr
    assert len(ended.stderr.splitlines()) == 1, ended.stderr
    assert ended.stderr.startswith("inturn: ")
    return ended.stderr


def port() -> str:
    """Name a port that is free."""
    return str(free_port())


@pytest.mark.parametrize("verb", ["ingress", "worker", "sweeper"])
def test_what_many_share_is_not_embedded(tmp_path: Path, verb: str) -> None:
    assert "PostgreSQL" in one_line(run(verb, folder=tmp_path))


def test_a_bad_setting_is_named(tmp_path: Path) -> None:
    said = refused(tmp_path, "serve", PORT="70000")
    assert "INTURN_PORT is '70000'" in said
    assert "65535" in said


def test_a_bad_secret_is_not_shown(tmp_path: Path) -> None:
    assert "hush" not in refused(tmp_path, "serve", BOOTSTRAP_KEY="hush hush")


def test_a_database_that_does_not_answer_is_named_without_its_password(tmp_path: Path) -> None:
    url = f"postgresql+asyncpg://me:hush@127.0.0.1:{free_port()}/inturn"
    for verb in ("serve", "worker", "doctor"):
        said = refused(tmp_path, verb, DATABASE_URL=url, BROKER_URL="amqp://127.0.0.1", PORT=port())
        assert url.replace(":hush", "") in said
        assert "hush" not in said


def test_a_database_that_is_not_there_is_named(tmp_path: Path, postgres_url: str) -> None:
    url = postgres_url.rpartition("/")[0] + "/no_such_database"
    assert "no_such_database" in refused(tmp_path, "migrate", DATABASE_URL=url)


def test_a_database_that_was_not_migrated_says_what_to_do(
    tmp_path: Path, new_database: Callable[[], str]
) -> None:
    settings = {"DATABASE_URL": new_database(), "BROKER_URL": "amqp://127.0.0.1"}
    assert "inturn migrate" in refused(tmp_path, "sweeper", **settings)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = refused(tmp_path, "serve", DATA_DIR=str(tmp_path / "file" / "data"), PORT=port())
    assert "INTURN_DATA_DIR" in said
    url = f"sqlite+aiosqlite:///{tmp_path}/no/folder/inturn.db"
    assert "inturn.db" in refused(tmp_path, "serve", DATABASE_URL=url, PORT=port())


def test_a_bad_agents_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("[[agents]]\nname = 1\n")
    assert "mine.toml" in refused(tmp_path, "serve", AGENTS_FILE="mine.toml", PORT=port())


def test_a_client_without_a_server_or_a_key_says_so(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    assert "INTURN_API_KEY" in refused(tmp_path, "send", "x", URL=url)
    assert f"no server answers at {url}" in refused(tmp_path, "send", "x", URL=url, API_KEY="k")
    assert "INTURN_URL" in refused(tmp_path, "send", "x", URL="nonsense", API_KEY="k")


def test_an_unknown_setting_is_a_warning_with_the_nearest(tmp_path: Path) -> None:
    ended = run("migrate", folder=tmp_path, SLOT="3")
    assert ended.returncode == 0
    assert "INTURN_SLOT means nothing here; did you mean INTURN_SLOTS?" in ended.stderr
