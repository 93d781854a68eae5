"""Where ElizaOS clients may come without a credential."""

import pytest

from ingress.auth import allows_anonymous
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
