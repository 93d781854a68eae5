"""What the page on compatibility says of routes, against the documents and the running server."""

import re
from pathlib import Path

import pytest

from ingress.app import DIALECTS
from tests.api.caller import Caller, document
from tests.api.contracts import dialect_of

PAGE = (Path(__file__).parents[2] / "docs" / "compatibility.md").read_text()
_SERVED, _, _REST = PAGE.partition("\n## What is not served\n")
_NOT_SERVED = _REST.partition("\n## ")[0]
_ROW = re.compile(r"^\| `([A-Z]+ /\S+)` \| ", re.MULTILINE)
NOWHERE = [row.split() for row in _ROW.findall(_NOT_SERVED)]
OTHERS = [dialect.name for dialect in DIALECTS if dialect.name != "native"]


@pytest.mark.parametrize("name", OTHERS)
def test_every_route_has_its_row_in_the_section_of_its_contract(name: str) -> None:
    served = {
        f"{method.upper()} {path}"
        for path, operations in document(name)["paths"].items()
        for method in operations
    }
    rows = [row for row in _ROW.findall(_SERVED) if dialect_of(row.split()[1]).name == name]
    assert sorted(rows) == sorted(served)


def test_every_row_says_how_it_compares() -> None:
    verdicts = re.findall(r"^\| `[A-Z]+ /\S+` \| (\w*) \|(.*)\|$", _SERVED, re.MULTILINE)
    assert len(verdicts) == len(_ROW.findall(_SERVED))
    assert {verdict for verdict, _ in verdicts} == {"same", "more", "other"}
    assert [why for verdict, why in verdicts if verdict != "same" and not why.strip()] == []


@pytest.mark.parametrize(("method", "path"), NOWHERE)
async def test_what_is_not_served_is_404(admin: Caller, method: str, path: str) -> None:
    assert (await admin.refused(method, path, {} if method == "POST" else None))[:4] == "404 "


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
async def test_every_document_is_where_the_page_says(admin: Caller, dialect: object) -> None:
    name = dialect.name  # type: ignore[attr-defined]
    prefix = dialect.prefix  # type: ignore[attr-defined]
    assert re.search(rf"^\| `{prefix}`.*\| `/openapi/{name}.json` \|", PAGE, re.MULTILINE)
    assert (await admin.ok("GET", f"/openapi/{name}.json"))["info"]["title"]
