"""Node's side of the tests: the packages of `tests/node`, installed once, and what was built."""

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.pages import ROOT, Page

OURS = ROOT / "tests" / "node"
CLIENT = ROOT / "clients" / "typescript"
OLDEST = 20
INSTALL = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1"]
# What npm says when nobody answers, as opposed to a lock that is wrong.
AWAY = re.compile(r"ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|E5\d\d")


@dataclass(frozen=True)
class Workshop:
    """A folder with our files where they lie in the checkout, the packages, and what was built."""

    folder: Path

    def run(self, *command: str, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.folder,
            env={**os.environ, **env},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )


def built(folder: Path, pages: Sequence[Page] = ()) -> Workshop:
    """Compile the tests, the client and what pages show of it, strictly.

    Skips where there is no Node, or no registry.
    """
    check_node()
    shutil.copytree(OURS, folder / "tests" / "node", ignore=shutil.ignore_patterns("node_modules"))
    shutil.copytree(CLIENT, folder / "clients" / "typescript")
    for page in pages:
        page.write(folder / "clients" / "typescript")
    (folder / "node_modules").symlink_to(installed() / "node_modules")
    (folder / "package.json").write_text('{"type": "module"}')
    workshop = Workshop(folder)
    compiled = workshop.run("node_modules/.bin/tsc", "--project", "tests/node", env={})
    assert compiled.returncode == 0, compiled.stdout
    return workshop


def check_node() -> None:
    """Skip where Node or npm is missing, or too old."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("node and npm are not there")
    said = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True)
    if int(said.stdout[1:].partition(".")[0]) < OLDEST:
        pytest.skip(f"node {said.stdout.strip()} is older than {OLDEST}")


def installed() -> Path:
    """The folder whose `node_modules` is what the lock says: made once, then kept."""
    wanted = [OURS / "package.json", OURS / "package-lock.json", *OURS.glob("elizaos-types/*")]
    digest = hashlib.sha256(b"".join(each.read_bytes() for each in sorted(wanted))).hexdigest()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "inturn"
    kept = cache / f"node-{digest[:16]}"
    if not kept.exists():
        cache.mkdir(parents=True, exist_ok=True)
        _install(kept)
    return kept


def _install(kept: Path) -> None:
    """Install beside it and move it there whole: another process may be doing the same."""
    with tempfile.TemporaryDirectory(dir=kept.parent) as making:
        folder = Path(making) / "node"
        shutil.copytree(OURS, folder)
        try:
            done = subprocess.run(
                INSTALL, cwd=folder, capture_output=True, text=True, timeout=90, check=False
            )
        except subprocess.TimeoutExpired:
            pytest.skip("npm's registry takes more than 90 s")
        if away := [line for line in done.stderr.splitlines() if AWAY.search(line)]:
            pytest.skip(f"npm's registry does not answer: {away[0]}")
        assert done.returncode == 0, done.stderr
        if not kept.exists():
            folder.rename(kept)
