from pathlib import Path
from uuid import UUID

import pytest

from shared.domain.agent import AgentKind, AgentLimits
from shared.domain.retry import RetryPolicy
from shared.service.agents_file import BadAgentsFile, read_agents

FULL = """
[[agents]]
name = "support"
kind = "python"
id = "agent_0190b8a27c1d7e3f8a4b5c6d7e8f9a0b"
pool = "gpu"
callable = "my.module:answer"
model = "big"
system_prompt = "Be kind."
settings = { deep = { list = [1, 2] } }
knowledge_bases = [{ id = "kb_1" }]
tools = [{ name = "search", settings = { depth = 2 } }]
retry = { max_attempts = 5, base_seconds = 0.5, max_seconds = 10 }
[agents.limits]
max_running = 3
runs_per_minute = 90
run_timeout_seconds = 1.5
max_steps = 8
max_tokens = 1000
max_cost = 0.25

[[agents]]
name = "plain"
kind = "echo"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "agents.toml"


def test_an_agent_is_read_whole(file: Path) -> None:
    file.write_text(FULL)
    support, plain = read_agents(file)
    assert support.id == UUID("0190b8a2-7c1d-7e3f-8a4b-5c6d7e8f9a0b")
    assert (support.kind, support.pool, support.callable) == (
        AgentKind.PYTHON, "gpu", "my.module:answer",
    )  # fmt: skip
    assert (support.model, support.system_prompt) == ("big", "Be kind.")
    assert support.settings == {"deep": {"list": [1, 2]}}
    assert support.knowledge_bases == ({"id": "kb_1", "top_k": 5},)
    assert support.tools == ({"name": "search", "settings": {"depth": 2}},)
    assert support.limits == AgentLimits(
        max_running=3,
        runs_per_minute=90,
        run_timeout_seconds=1.5,
        max_steps=8,
        max_tokens=1000,
        max_cost=0.25,
    )
    assert support.retry == RetryPolicy(max_attempts=5, base_seconds=0.5, max_seconds=10)
    assert (plain.id, plain.pool, plain.retry, plain.limits) == (
        None, "default", None, AgentLimits(),
    )  # fmt: skip


def test_an_empty_file_names_nobody(file: Path) -> None:
    file.write_text("")
    assert read_agents(file) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[agents]", "is not TOML"),
        ("\udcff", "is not TOML"),
        ("agents = 3", "agents: "),
        ("[[agent]]\nname = 'x'", "agent: "),
        ("[[agents]]\nkind = 'echo'", "agents.0.name: "),
        ("[[agents]]\nname = ''\nkind = 'echo'", "agents.0.name: "),
        ("[[agents]]\nname = 3\nkind = 'echo'", "agents.0.name: "),
        ("[[agents]]\nname = 'x'\nkind = 'magic'", "agents.0.kind: "),
        ("[[agents]]\nname = 'x'\nkind = 'python'", "needs callable"),
        ("[[agents]]\nname = 'x'\nkind = 'echo'\ncallable = 'a:b'", "needs callable"),
        ("[[agents]]\nname = 'x'\nkind = 'python'\ncallable = 'a.b'", "agents.0.callable: "),
        ("[[agents]]\nname = 'x'\nkind = 'echo'\npool = 'a b'", "agents.0.pool: "),
        ("[[agents]]\nname = 'x'\nkind = 'echo'\nid = 'run_1'", "32 hex digits"),
        ("[[agents]]\nname = 'x'\nkind = 'echo'\ncolour = 1", "agents.0.colour: "),
        (f"[[agents]]\nname = '{'0' * 32}'\nkind = 'echo'", "the name reads as an id"),
        ("[[agents]]\nname = 'x'\nkind = 'echo'\nlimits = { max_running = 0 }", "max_running: "),
        ("[[agents]]\nname = 'x'\nkind = 'echo'\nretry = { max_attempts = 0 }", "max_attempts: "),
        ("[[agents]]\nname = 'x'\nkind = 'echo'\n" * 2, "the agent 'x' twice"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(file: Path, text: str, said: str) -> None:
    file.write_text(text, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(BadAgentsFile) as error:
        read_agents(file)
    assert str(file) in error.value.detail
    assert said in error.value.detail
    assert "\n" not in error.value.detail


def test_a_file_that_is_not_there_is_named(file: Path) -> None:
    with pytest.raises(BadAgentsFile, match="No such file"):
        read_agents(file)
