"""The pages about sessions and sockets, each run in one bash: what they show is what comes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.pages import ROOT, Example, Page, check, check_end
from tests.integration.serving import Served, serving

PAGES = [Page("sessions"), Page("websockets")]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("served"), SESSION_MIN_TIMEOUT_MINUTES=0.02) as server:
        yield server


@pytest.fixture(scope="module")
def printed(served: Served, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[int, str]]:
    """What each block printed, by page and line."""

    def played(page: Page, folder: Path) -> dict[int, str]:
        page.write(folder)
        variables = {"URL": served.url, "KEY": served.key, "INTURN": str(ROOT)}
        return page.played(folder, variables)

    return {page.name: played(page, tmp_path_factory.mktemp(page.name)) for page in PAGES}


@pytest.mark.parametrize(
    "example",
    [each for page in PAGES for each in page.examples],
    ids=lambda each: f"{each.page}-{each.line}",
)
def test_a_block_prints_what_is_shown(printed: dict[str, dict[int, str]], example: Example) -> None:
    check(printed[example.page], example)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_last_block_ends_well(printed: dict[str, dict[int, str]], page: Page) -> None:
    check_end(printed[page.name])
