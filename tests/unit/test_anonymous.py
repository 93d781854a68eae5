"""Where ElizaOS clients may come without a credential."""

import pytest

from ingress.auth import allows_anonymous, anonymous_here
from shared.settings import Settings


@pytest.mark.parametrize(
    ("host", "said", "allowed"),
    [
        ("127.0.0.1", None, True),
        ("127.8.0.1", None, True),
        ("::1", None, True),
        ("localhost", None, True),
        ("0.0.0.0", None, False),  # noqa: S104  (nothing is bound)
        ("::", None, False),
        ("10.0.0.1", None, False),
        ("inturn.example", None, False),
        ("localhost.example", None, False),
        ("127.0.0.1", False, False),
        ("10.0.0.1", True, True),
    ],
)
def test_by_default_only_this_machine(host: str, said: bool | None, allowed: bool) -> None:
    assert allows_anonymous(Settings(host=host, anonymous_elizaos=said)) is allowed


@pytest.mark.parametrize(
    ("headers", "here"),
    [
        ({}, True),
        ({"host": "127.0.0.1:8000"}, True),
        ({"host": "localhost:8000"}, True),
        ({"host": "[::1]:8000"}, True),
        ({"host": "evil.example"}, False),  # a name that was made to mean this machine
        ({"host": "evil.example:8000"}, False),
        ({"host": "127.0.0.1.evil.example"}, False),
        ({"host": "10.0.0.1"}, False),
        *(({"host": odd}, False) for odd in ("[", "[]x", "[::2]", "a:b", "::1:80")),
        ({"host": "127.0.0.1:8000", "x-forwarded-for": "10.0.0.7"}, False),
        ({"host": "localhost", "forwarded": "for=10.0.0.7"}, False),
        ({"host": "localhost", "x-real-ip": "10.0.0.7"}, False),
    ],
)
def test_by_default_only_who_comes_from_here(headers: dict[str, str], here: bool) -> None:
    scope = {"headers": [(name.encode(), value.encode()) for name, value in headers.items()]}
    assert anonymous_here(Settings(), scope) is here
    assert anonymous_here(Settings(anonymous_elizaos=True), scope)
    assert not anonymous_here(Settings(anonymous_elizaos=False), scope)
    assert not anonymous_here(Settings(host="10.0.0.1"), scope)
