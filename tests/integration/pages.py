"""A page of the documentation, run in one bash: what it shows is what comes.

A block fenced `sh` is run. A block fenced `text` after it is what it prints, whole: ids and times
may be others, `…` stands for anything, white space does not count. A block that shows nothing
prints nothing. Blocks of other languages that begin with the name of a file are that file.
"""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.command import environment

ROOT = Path(__file__).parents[2]
SECONDS = 60.0  # several times what it takes; whatever hangs is to fail here, and say where

_BLOCK = re.compile(r"^```(sh|ts|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"^```(?:toml|python|ts)\n((?:#|//) (\S+)\n.*?)^```$", re.MULTILINE | re.DOTALL)
_MASKS = (
    (re.compile(r"_[0-9a-f]{32}"), "_id"),
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "id"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"), "time"),
    (re.compile(r"\s+"), ""),
)
_BEGIN, END = "\f", 0  # what is printed before each block, and its line after the last


@dataclass
class Example:
    """What a reader would paste, the line it is on, and what is shown under it."""

    page: str
    line: int
    command: str
    shown: str = ""


class Page:
    """One file of `docs`, or one section of it."""

    def __init__(self, name: str, section: str | None = None) -> None:
        self.name = name
        self.text = (ROOT / "docs" / f"{name}.md").read_text()
        if section is not None:
            before, heading, after = self.text.partition(f"\n## {section}\n")
            assert heading, f"no section {section}"
            # Blank lines, so that blocks are still called by their place in the file.
            self.text = "\n" * (before + heading).count("\n") + after.partition("\n## ")[0]
        self.examples: list[Example] = []
        self.scripts: list[Example] = []  # TypeScript, which no shell runs
        self._read()

    def _read(self) -> None:
        last: list[Example] = []
        for block in _BLOCK.finditer(self.text):
            kind, body = block.groups()
            if kind == "text":
                assert not last[-1].shown, f"two outputs of one block: {body}"
                last[-1].shown = body
                continue
            line = self.text.count("\n", 0, block.start()) + 1
            last = self.examples if kind == "sh" else self.scripts
            last.append(Example(self.name, line, body))

    def files(self) -> Iterator[tuple[str, str]]:
        """Name and text of every file the page shows."""
        for file in _FILE.finditer(self.text):
            yield file[2], file[1]

    def write(self, folder: Path) -> None:
        """Lay its files out."""
        for name, text in self.files():
            (folder / name).write_text(text)

    def played(self, folder: Path, variables: Mapping[str, str]) -> dict[int, str]:
        """Run every block there; return what each printed by its line, up to where bash ended."""
        blocks = [f"echo '{_BEGIN}{each.line}'\n{each.command}" for each in self.examples]
        script = "\n".join([*blocks, f"echo '{_BEGIN}{END}'"])
        output = folder / "printed"
        with output.open("w") as out:
            bash = subprocess.Popen(
                ["bash", "-eu", "-c", script],
                cwd=folder,
                env={**_environment(folder), **variables},
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


def _environment(folder: Path) -> dict[str, str]:
    variables = environment(folder, {})
    variables["PATH"] = f"{Path(sys.executable).parent}:{variables['PATH']}"
    return variables


def check(printed: Mapping[int, str], example: Example) -> None:
    """Fail unless a block printed what is shown."""
    assert example.line in printed, ended(printed)
    check_said(printed[example.line], example)


def check_said(said: str, example: Example) -> None:
    assert re.fullmatch(_pattern(example.shown), _masked(said), re.DOTALL), f"it printed:\n{said}"


def check_end(printed: Mapping[int, str]) -> None:
    """Fail unless bash came to the end of the last block."""
    assert END in printed, ended(printed)


def ended(printed: Mapping[int, str]) -> str:
    """Say which block was the last."""
    last = max(printed)
    return f"bash ended in the block of line {last}, which printed:\n{printed[last]}"


def _pattern(shown: str) -> str:
    """Translate what is shown; only `…` is special."""
    return ".*?".join(map(re.escape, _masked(shown).split("…")))


def _masked(text: str) -> str:
    """Hide what is another one each time."""
    for mask, put in _MASKS:
        text = mask.sub(put, text)
    return text
