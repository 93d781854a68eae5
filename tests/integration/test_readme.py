"""The README's four contracts, in one bash: what it shows is what comes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.pages import Example, Page, check, check_end
from tests.integration.serving import serving

PAGE = Page("../README", "Four contracts")


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[int, str]]:
    folder: Path = tmp_path_factory.mktemp("readme")
    with serving(folder) as served:
        yield PAGE.played(folder, {"URL": served.url, "KEY": served.key})


@pytest.mark.parametrize("example", PAGE.examples, ids=lambda each: f"line-{each.line}")
def test_a_block_prints_what_is_shown(printed: dict[int, str], example: Example) -> None:
    check(printed, example)


def test_the_last_block_ends_well(printed: dict[int, str]) -> None:
    assert PAGE.examples
    check_end(printed)
