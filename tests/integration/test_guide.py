"""The guide's examples, run in order in one bash: what it shows is what comes.

A block fenced `sh` is run. A block fenced `text` after it is what it prints, whole: ids and times
may be others, `…` stands for anything, white space does not count. A block that shows nothing
prints nothing. Blocks of other languages that begin with the name of a file are that file.
"""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from ingress.statuses import STATUS, status_of
from shared.domain import waiting
from shared.domain.errors import InternalError, InturnError, NotSupported
from shared.domain.run import ErrorCode
from shared.settings import PREFIX, Settings, variable
from tests.command import Process, environment
from tests.services import LOOPBACK, free_port

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "guide.md").read_text()
README = (ROOT / "README.md").read_text()
SECONDS = 60.0  # several times what it takes; whatever hangs is to fail here, and say where

_BLOCK = re.compile(r"^```(sh|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"^```(?:toml|python)\n(# (\S+)\n.*?)^```$", re.MULTILINE | re.DOTALL)
_MASKS = (
    (re.compile(r"_[0-9a-f]{32}"), "_id"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"), "time"),
    (re.compile(r"\s+"), ""),
)
_BEGIN, _END = "\f", 0  # what is printed before each block, and its line after the last


@dataclass
class Example:
    """What a reader would paste, the line it is on, and what is shown under it."""

    line: int
    command: str
    shown: str = ""


def examples() -> list[Example]:
    """Read the guide."""
    found: list[Example] = []
    for block in _BLOCK.finditer(GUIDE):
        kind, body = block.groups()
        if kind == "sh":
            found.append(Example(GUIDE.count("\n", 0, block.start()) + 1, body))
        else:
            assert not found[-1].shown, f"two outputs of one block: {body}"
            found[-1].shown = body
    return found


EXAMPLES = examples()


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[int, str]]:
    """What each block printed, by its line; where bash ended early, the rest is missing."""
    folder, port = tmp_path_factory.mktemp("guide"), free_port()
    url = f"http://{LOOPBACK}:{port}"
    for file in _FILE.finditer(GUIDE):
        (folder / file[2]).write_text(file[1])
    arguments = ("serve", "--port", str(port))
    with Process(*arguments, folder=folder, url=url, ALLOW_PRIVATE_URLS="true") as server:
        server.until_ready()
        yield played(folder, url)
        assert "Traceback" not in server.said, server.said


def played(folder: Path, url: str) -> dict[int, str]:
    """Run every block, and take apart what they printed."""
    blocks = [f"echo '{_BEGIN}{each.line}'\n{each.command}" for each in EXAMPLES]
    script = "\n".join([*blocks, f"echo '{_BEGIN}{_END}'"])
    variables = environment(folder, {})
    variables |= {"URL": url, "HOOK_PORT": str(free_port())}
    variables["PATH"] = f"{Path(sys.executable).parent}:{variables['PATH']}"
    output = folder / "printed"
    with output.open("w") as out:
        bash = subprocess.Popen(
            ["bash", "-eu", "-c", script],
            cwd=folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
        with suppress(subprocess.TimeoutExpired):
            bash.wait(SECONDS)
        with suppress(ProcessLookupError):  # it, if it hangs, and what it has left behind
            os.killpg(bash.pid, signal.SIGKILL)
        bash.wait()
    parts = (part.partition("\n") for part in output.read_text().split(_BEGIN)[1:])
    return {int(line): said for line, _, said in parts}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda each: f"line-{each.line}")
def test_a_block_prints_what_is_shown(printed: dict[int, str], example: Example) -> None:
    assert example.line in printed, ended(printed)
    said = printed[example.line]
    assert re.fullmatch(pattern(example.shown), masked(said), re.DOTALL), f"it printed:\n{said}"


def test_the_last_block_ends_well(printed: dict[int, str]) -> None:
    assert _END in printed, ended(printed)


def ended(printed: dict[int, str]) -> str:
    """Say which block was the last."""
    last = max(printed)
    return f"bash ended in the block of line {last}, which printed:\n{printed[last]}"


def pattern(shown: str) -> str:
    """Translate what is shown; only `…` is special."""
    return ".*?".join(map(re.escape, masked(shown).split("…")))


def masked(text: str) -> str:
    """Hide what is another one each time."""
    for mask, put in _MASKS:
        text = mask.sub(put, text)
    return text


def test_the_guide_says_what_to_do_about_every_error() -> None:
    kinds: list[type[InturnError]] = [*STATUS, NotSupported, InternalError]
    rows = [f"| `{kind.code}` | {status_of(kind.__new__(kind)).value} | " for kind in kinds]
    assert [row for row in rows if row not in GUIDE] == []


def test_the_guide_says_why_runs_fail_and_why_they_wait() -> None:
    table = "".join(re.findall(r"^\| .* \|$", GUIDE, re.MULTILINE))
    causes = {value for name, value in vars(waiting).items() if name.startswith("CAUSE_")}
    causes.remove(waiting.CAUSE_TOOL)  # nothing waits for it yet
    assert {word for word in {*ErrorCode, *causes} if f"`{word}`" not in table} == set()


def test_the_readme_names_every_setting() -> None:
    [settings] = re.findall(r"^## Settings$(.*?)^## ", README, re.MULTILINE | re.DOTALL)
    ours, own = settings.split("| variable |")
    for name in map(variable, Settings.model_fields):
        assert f"`{name.removeprefix(PREFIX)}`" in (ours if name.startswith(PREFIX) else own), name
