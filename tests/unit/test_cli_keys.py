"""What `inturn keys` refuses before it opens anything."""

import pytest
from typer.testing import CliRunner

from inturn.main import command
from inturn.refused import Refused

CREATE = ["keys", "create", "--name", "x"]
ROTATE = ["keys", "rotate"]
KEY = "key_" + "0" * 32


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([*CREATE, "--rate-limit", "5"], "--rate-limit is '5'; allowed: `off`, or a count per"),
        ([*CREATE, "--rate-limit", "5/s;burst=0"], "a burst of 1 to 1000000"),
        ([*CREATE, "--scope", "user"], "a key of scope user needs --user-id"),
        ([*ROTATE, "nonsense"], "'nonsense' is no key's id"),
    ],
)
def test_what_makes_no_sense_is_said_in_one_sentence(words: list[str], said: str) -> None:
    refused = CliRunner().invoke(command(words), words).exception
    assert isinstance(refused, Refused)
    assert said in str(refused)
    assert "\n" not in str(refused)


@pytest.mark.parametrize(
    "words",
    [
        [*CREATE, "--max-running", "0"],
        [*CREATE, "--max-running", "1000001"],
        [*ROTATE, KEY, "--overlap-seconds", "-1"],
        [*ROTATE, KEY, "--overlap-seconds", "604801"],
    ],
)
def test_what_is_out_of_range_is_refused(words: list[str]) -> None:
    told = CliRunner().invoke(command(words), words)
    assert told.exit_code == 2
    assert words[-2] in told.output
