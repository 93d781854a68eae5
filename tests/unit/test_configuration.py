"""Chains of agents, and what they are called."""

import pytest

from shared.domain.agent import AgentKind, AgentSpec
from shared.domain.configuration import Configuration, Link, as_one, chain, hash_of
from shared.domain.errors import ValidationFailed


def links(*pairs: str) -> list[Link]:
    return [Link(source=pair[0], target=pair[1]) for pair in pairs]


@pytest.mark.parametrize(
    ("names", "edges", "entry", "order"),
    [
        ("a", [], None, "a"),
        ("a", [], "a", "a"),
        ("abc", ["ab", "bc"], "a", "abc"),
        ("abc", ["ba", "cb"], "c", "cba"),
    ],
)
def test_a_chain_is_in_order(names: str, edges: list[str], entry: str | None, order: str) -> None:
    assert chain(list(names), links(*edges), entry) == list(order)


@pytest.mark.parametrize(
    ("names", "edges", "entry", "why"),
    [
        ("aa", [], "a", "two agents have the name 'a'"),
        ("ab", ["ab"], None, "required"),
        ("ab", ["ab"], "x", "there is no agent 'x'"),
        ("ab", ["ax"], "a", "there is no agent 'x'"),
        ("ab", ["xa"], "a", "there is no agent 'x'"),
        ("abc", ["ab", "ac"], "a", "'a' leads to more than one"),
        ("ab", ["ab", "ba"], "a", "'a' is in a cycle"),
        ("a", ["aa"], "a", "'a' is in a cycle"),
        ("abc", ["ab", "bc", "cb"], "a", "'b' is in a cycle"),
        ("abc", ["ab"], "a", "no edge leads to the agent 'c'"),
        ("abc", ["ab", "cb"], "a", "no edge leads to the agent 'c'"),
    ],
)
def test_what_is_no_chain_is_named(
    names: str, edges: list[str], entry: str | None, why: str
) -> None:
    with pytest.raises(ValidationFailed) as refused:
        chain(list(names), links(*edges), entry)
    assert why in refused.value.errors[0].msg


def test_a_chain_is_one_agent() -> None:
    first = AgentSpec(name="a", kind=AgentKind.LLM, model="m", system_prompt="p")
    second = AgentSpec(name="b", kind=AgentKind.ECHO)
    one = as_one("both", [first, second])
    assert (one.name, one.kind, one.model) == ("both", AgentKind.LLM, None)
    stages = one.settings["chain"]
    assert isinstance(stages, list)
    assert [each["name"] for each in stages if isinstance(each, dict)] == ["a", "b"]


def test_who_echoes_an_echo_echoes() -> None:
    echo = AgentSpec(name="a", kind=AgentKind.ECHO)
    assert as_one("both", [echo, echo]) == AgentSpec(name="both", kind=AgentKind.ECHO)


def test_a_script_is_for_one() -> None:
    scripted = AgentSpec(name="a", kind=AgentKind.SCRIPTED)
    assert as_one("one", [scripted]).kind is AgentKind.SCRIPTED
    with pytest.raises(ValidationFailed):
        as_one("both", [scripted, scripted])


def test_a_hash_names_the_words_in_any_order() -> None:
    assert hash_of({"a": 1, "b": {"c": 2, "d": 3}}) == hash_of({"b": {"d": 3, "c": 2}, "a": 1})
    assert hash_of({"a": 1}) != hash_of({"a": "1"})


def test_agents_of_one_name_are_told_apart() -> None:
    spec = AgentSpec(name="x" * 200, kind=AgentKind.ECHO)
    one, other = (Configuration(config={"n": each}, described=spec) for each in (1, 2))
    assert one.spec.name != other.spec.name
    assert one.agent_id != other.agent_id
    assert len(one.spec.name) == 200
