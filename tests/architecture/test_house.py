"""Rules of the house that a linter does not know; an exception has a name and a reason."""

import ast
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Rule = Callable[[str, str], Iterator[str]]

ROOT = Path(__file__).parents[2]
PRODUCT = ("ingress/", "inturn/", "shared/", "workers/")
STORAGE = "shared/storage/"
LONGEST = 250

# rule, file: why it may. An entry that is not needed any more is a failure, too.
EXCEPTIONS = {
    (
        "a_file_fits_in_the_head",
        "clients/python/inturn_client.py",
    ): "is copied as one file; it has three classes, and none needs the others to be read",
    (
        "a_file_fits_in_the_head",
        "shared/storage/migrations/versions/0001_initial.py",
    ): "the first migration is the whole schema, read table by table",
    ("a_function_is_named_for_what_it_does", "shared/storage/types.py"): "SQLAlchemy's names",
    ("a_function_is_named_for_what_it_does", "tests/integration/network.py"): "httpx's name",
    ("no_sleep_in_tests", "tests/command.py"): "waits for another program that gives no sign",
    ("no_sleep_in_tests", "tests/integration/fleet.py"): "the same",
    ("no_sleep_in_tests", "tests/server.py"): "waits for another program that gives no sign",
}


def sql_lives_in_storage(path: str, text: str) -> Iterator[str]:
    if not path.startswith(PRODUCT) or path.startswith(STORAGE) or not path.endswith(".py"):
        return
    for node in ast.walk(ast.parse(text)):
        for package in DATABASE & set(imported(node)):
            yield f"imports {package}"
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and SQL.match(node.value):
            yield f"line {node.lineno}: SQL text"


def a_file_fits_in_the_head(path: str, text: str) -> Iterator[str]:
    lines = text.count("\n")
    if path.endswith(".py") and lines > LONGEST:
        yield f"{lines} lines: split it by responsibility"


def no_sleep_in_tests(path: str, text: str) -> Iterator[str]:
    """`sleep(0)` lets others run; anything longer hopes."""
    if not path.startswith("tests/") or not path.endswith(".py"):
        return
    for node in ast.walk(ast.parse(text)):
        if (
            isinstance(node, ast.Call)
            and called(node) == "sleep"
            and [ast.unparse(part) for part in node.args] != ["0"]
        ):
            yield f"line {node.lineno}: wait for a signal, not for time"


def a_name_says_what_is_inside(path: str, _: str) -> Iterator[str]:
    if VAGUE & {part.removesuffix(".py") for part in Path(path).parts}:
        yield "says nothing: name it for what it holds"


def a_function_is_named_for_what_it_does(path: str, text: str) -> Iterator[str]:
    if not path.endswith(".py"):
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and FILLER.match(node.name):
            yield f"line {node.lineno}: {node.name}"


def nothing_knows_this_machine(_: str, text: str) -> Iterator[str]:
    for number, line in enumerate(text.splitlines(), start=1):
        for found in (*MACHINE_PATH.findall(line), *REGISTRY.findall(line)):
            yield f"line {number}: {found}"


SQL = re.compile(
    r"\s*(SELECT\s.+\sFROM|INSERT\s+INTO|UPDATE\s.+\sSET|DELETE\s+FROM|(CREATE|ALTER|DROP)\s+TABLE)\s",
    re.IGNORECASE | re.DOTALL,
)
FILLER = re.compile(r"_*(do|handle|process)_[a-z]")
DATABASE = {"aiosqlite", "alembic", "asyncpg", "sqlalchemy"}
VAGUE = {"utils", "common", "helpers", "core", "manager"}
MACHINE_PATH = re.compile(r"(?<![\w.}])/(?:work|root|home|tmp|opt)/\w+")
REGISTRY = re.compile(
    r"\b(?:pypi|pythonhosted|npmjs|debian)\.(?:org|com)\b|--(?:find-links|index-url)"
)

BREACHES: list[tuple[Rule, str, str]] = [
    (sql_lives_in_storage, "workers/x.py", "from sqlalchemy.orm import Session"),
    (sql_lives_in_storage, "shared/service/x.py", "import asyncpg"),
    (sql_lives_in_storage, "inturn/x.py", "query = 'select id from runs where true'"),
    (a_file_fits_in_the_head, "shared/x.py", "\n" * (LONGEST + 1)),
    (no_sleep_in_tests, "tests/unit/test_x.py", "import time\ntime.sleep(0.1)"),
    (no_sleep_in_tests, "tests/unit/test_x.py", "async def test():\n    await sleep(pause)"),
    (a_name_says_what_is_inside, "shared/utils.py", ""),
    (a_name_says_what_is_inside, "workers/core/x.py", ""),
    (a_function_is_named_for_what_it_does, "workers/x.py", "def process_run(): ..."),
    (
        a_function_is_named_for_what_it_does,
        "workers/x.py",
        "class X:\n    async def _do_it(self): ...",
    ),
    (nothing_knows_this_machine, "docs/x.md", "see /" + "home/me"),
    (nothing_knows_this_machine, "x.lock", "--index" + "-url somewhere"),
    (nothing_knows_this_machine, "x.lock", "from py" + "pi.org"),
]
RULES = list(dict.fromkeys(rule for rule, _, _ in BREACHES))


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    """Every text file that is or may be committed."""
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    present = [path for path in listed.stdout.split("\0") if (ROOT / path).is_file()]
    return {path: (ROOT / path).read_text(errors="replace") for path in present}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_house_keeps_its_rule(rule: Rule, files: dict[str, str]) -> None:
    breaches = {path: found for path, text in files.items() if (found := list(rule(path, text)))}
    excepted = {path for name, path in EXCEPTIONS if name == rule.__name__}
    assert {path: found for path, found in breaches.items() if path not in excepted} == {}
    assert excepted - breaches.keys() == set(), "exceptions that nothing needs"


@pytest.mark.parametrize(("rule", "path", "text"), BREACHES)
def test_a_rule_finds_its_breach(rule: Rule, path: str, text: str) -> None:
    assert list(rule(path, text))


def imported(node: ast.AST) -> Iterator[str]:
    """Top packages that this statement imports."""
    if isinstance(node, ast.Import):
        yield from (alias.name.partition(".")[0] for alias in node.names)
    if isinstance(node, ast.ImportFrom) and not node.level:
        yield (node.module or "").partition(".")[0]


def called(call: ast.Call) -> str:
    """Last word of the called name: `sleep` of `asyncio.sleep(1)`."""
    return ast.unparse(call.func).rpartition(".")[2]
