"""Every verb explains itself, with an example."""

import pytest
from typer.testing import CliRunner

from inturn.main import PANELS, command

LEAVES = [[name] for names in PANELS.values() for name in names if name != "keys"]
LEAVES += [["keys", name] for name in ("create", "list", "rotate", "revoke")]


@pytest.mark.parametrize("words", LEAVES, ids=" ".join)
def test_a_verb_explains_itself_with_an_example(words: list[str]) -> None:
    told = CliRunner().invoke(command(words), [*words, "--help"])
    assert told.exit_code == 0
    assert "For example:" in told.output


def test_without_a_verb_all_are_listed() -> None:
    told = CliRunner().invoke(command([]), ["--help"])
    assert all(name in told.output for names in PANELS.values() for name in names)


def test_an_unknown_verb_is_met_with_a_known_one() -> None:
    told = CliRunner().invoke(command(["snd"]), ["snd"])
    assert told.exit_code == 2
    assert "send" in told.output
