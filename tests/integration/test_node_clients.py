"""Clients in Node against a real server: ElizaOS's official one, socket.io's, and ours.

The tests are in `tests/node`; here they get a server with the agents that they speak to.
"""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from tests.integration.node import OURS, Workshop, built
from tests.integration.pages import Example, Page, check_said
from tests.integration.serving import Served, serving

AGENTS = """
[[agents]]
name = "slow"
kind = "python"
callable = "my_agents:slow"
"""
CODE = """
import re

async def slow(ctx):
    for word in re.findall(r"\\S+\\s*", ctx.content):
        yield word
"""
PAGES = [Page("sessions"), Page("websockets")]
FILES = sorted(path.name.removesuffix(".test.ts") for path in OURS.glob("*.test.ts"))


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return built(tmp_path_factory.mktemp("node"), PAGES)


@pytest.fixture(scope="module")
def served(workshop: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server of sessions that may be as short as a second."""
    del workshop  # where it cannot be built, nobody needs a server
    folder = tmp_path_factory.mktemp("served")
    (folder / "agents.toml").write_text(AGENTS)
    (folder / "my_agents.py").write_text(CODE)
    with serving(folder, SWEEP_SECONDS=0.2, SESSION_MIN_TIMEOUT_MINUTES=0.02) as server:
        yield server


@pytest.fixture(scope="module")
def where(served: Served) -> dict[str, str]:
    """What the tests in Node are told."""
    return {
        "INTURN_URL": served.url,
        "INTURN_API_KEY": served.key,
        "SLOW_KEY": served.limited_key("1/s"),
        "ECHO": served.agent("echo"),
        "SLOW": served.agent("slow"),
    }


@pytest.mark.parametrize("name", FILES)
def test_in_node(workshop: Workshop, where: dict[str, str], name: str) -> None:
    done = workshop.run(
        "node", "--test", "--test-force-exit", f"built/tests/node/{name}.test.js", env=where
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_example_runs(workshop: Workshop, where: dict[str, str]) -> None:
    done = workshop.run("node", "built/clients/typescript/example.js", env=where)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[-3:] == ["client_chat Hello", "agent_response Hello", ""]


@pytest.mark.parametrize(
    "script",
    [each for page in PAGES for each in page.scripts],
    ids=lambda each: f"{each.page}-{each.line}",
)
def test_a_page_shows_what_comes(
    workshop: Workshop, where: dict[str, str], script: Example
) -> None:
    name = script.command.splitlines()[0].removeprefix("// ").removesuffix(".ts")
    variables = {
        "URL": where["INTURN_URL"],
        "KEY": where["INTURN_API_KEY"],
        "AGENT": where["ECHO"],
        "ADA": str(uuid4()),
    }
    done = workshop.run("node", f"built/clients/typescript/{name}.js", env=variables)
    assert done.returncode == 0, done.stderr
    check_said(done.stdout, script)
