"""Which messages may share a run."""

from dataclasses import replace
from typing import Any

import pytest

from shared.clock import Instant
from shared.domain.coalescing import options_hash
from shared.domain.message import Content
from shared.domain.requests import NewMessage
from shared.ids import PrincipalId, SessionId, new_id

ME, HER = PrincipalId(new_id()), PrincipalId(new_id())


def message(content: Content = "hi", **more: Any) -> NewMessage:  # noqa: ANN401
    return NewMessage(session_id=SessionId(new_id()), content=content, correlation_id="c", **more)


def test_what_is_said_and_by_whom_does_not_matter() -> None:
    one = message("a", inputs={"a": 1, "b": [2]}, author_id="x", metadata={"n": 1})
    other = replace(one, content="b", inputs={"b": [2], "a": 1}, author_id="y", metadata={})
    assert options_hash(one, ME) == options_hash(other, HER)


@pytest.mark.parametrize(
    "more",
    [
        {"inputs": {"a": 1}},
        {"inputs": {"a": "1"}},
        {"priority": 1},
        {"deadline": Instant(1)},
        {"options": {"reasoning": {"effort": "low"}}},
        {"callback_url": "https://example.org"},
    ],
)
def test_what_is_asked_for_does(more: dict[str, Any]) -> None:
    assert options_hash(message(**more), ME) != options_hash(message(), ME)


def test_a_callback_is_its_principal_s() -> None:
    asked = message(callback_url="https://example.org")
    assert options_hash(asked, ME) != options_hash(asked, HER)
