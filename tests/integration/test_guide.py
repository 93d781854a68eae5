"""The guide's examples, run in order in one bash: what it shows is what comes."""

import re
from collections.abc import Iterator

import pytest

from ingress.statuses import STATUS, status_of
from shared.domain import waiting
from shared.domain.errors import InternalError, InturnError, NotSupported
from shared.domain.run import ErrorCode
from shared.settings import PREFIX, Settings, variable
from tests.integration.pages import ROOT, Example, Page, check, check_end
from tests.integration.serving import serving
from tests.services import free_port

PAGE = Page("guide")
README = (ROOT / "README.md").read_text()


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[int, str]]:
    """What each block printed, by its line; where bash ended early, the rest is missing."""
    folder = tmp_path_factory.mktemp("guide")
    PAGE.write(folder)
    said = re.findall(r"^\$ export INTURN_(\w+)=(\S+)$", PAGE.text, re.MULTILINE)
    with serving(folder, **dict(said)) as server:
        yield PAGE.played(folder, {"URL": server.url, "HOOK_PORT": str(free_port())})


@pytest.mark.parametrize("example", PAGE.examples, ids=lambda each: f"line-{each.line}")
def test_a_block_prints_what_is_shown(printed: dict[int, str], example: Example) -> None:
    check(printed, example)


def test_the_last_block_ends_well(printed: dict[int, str]) -> None:
    check_end(printed)


def test_the_guide_says_what_to_do_about_every_error() -> None:
    kinds: list[type[InturnError]] = [*STATUS, NotSupported, InternalError]
    rows = [f"| `{kind.code}` | {status_of(kind.__new__(kind)).value} | " for kind in kinds]
    assert [row for row in rows if row not in PAGE.text] == []


def test_the_guide_says_why_runs_fail_and_why_they_wait() -> None:
    table = "".join(re.findall(r"^\| .* \|$", PAGE.text, re.MULTILINE))
    causes = {value for name, value in vars(waiting).items() if name.startswith("CAUSE_")}
    causes.remove(waiting.CAUSE_TOOL)  # nothing waits for it yet
    assert {word for word in {*ErrorCode, *causes} if f"`{word}`" not in table} == set()


def test_the_readme_names_every_setting() -> None:
    [settings] = re.findall(r"^## Settings$(.*?)^## ", README, re.MULTILINE | re.DOTALL)
    ours, own = settings.split("| variable |")
    for name in map(variable, Settings.model_fields):
        assert f"`{name.removeprefix(PREFIX)}`" in (ours if name.startswith(PREFIX) else own), name
