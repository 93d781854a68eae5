"""The development key: made once, private, reused; and the banner that shows it."""

from pathlib import Path

import pytest

from inturn import devkey
from inturn.banner import banner
from inturn.refused import Refused
from shared.settings import Settings

PRIVATE = 0o600


def test_the_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    assert devkey.read(tmp_path) is None
    key = devkey.ensure(tmp_path)
    assert devkey.ensure(tmp_path) == devkey.read(tmp_path) == key
    assert (tmp_path / "dev.key").stat().st_mode & 0o777 == PRIVATE
    assert [each.name for each in tmp_path.iterdir()] == ["dev.key"]
    assert Settings(bootstrap_key=key).bootstrap_key == key


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Refused, match="INTURN_DATA_DIR"):
        devkey.prepare(tmp_path / "file" / "data")


def test_preparing_leaves_nothing_behind(tmp_path: Path) -> None:
    devkey.prepare(tmp_path / "data")
    assert not list((tmp_path / "data").iterdir())


def test_the_banner_has_three_commands_with_the_key_and_says_where_the_docs_are() -> None:
    text = banner("http://127.0.0.1:9", "a-key")
    commands = [line for line in text.splitlines() if "curl -s" in line]
    assert [line.count("X-API-Key: a-key") for line in commands] == [1, 1, 1]
    assert ["$SESSION/messages" in line for line in commands] == [False, True, True]
    assert "http://127.0.0.1:9/docs" in text
