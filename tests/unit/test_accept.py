"""`Accept` decides between a stream and a page."""

import pytest

from ingress.dialects.native.accept import wants_stream
from shared.domain.errors import ValidationFailed


@pytest.mark.parametrize(
    ("accept", "stream"),
    [
        (None, True),
        ("*/*", True),
        ("text/event-stream", True),
        ("Text/Event-Stream; charset=utf-8", True),
        ("text/html,application/xhtml+xml,*/*;q=0.8", True),
        ("application/json, text/event-stream", True),
        ("application/json", False),
        ("application/json;q=0.9, text/event-stream;q=0.5", False),
        ("application/json, */*", False),
        ("application/*", False),
        ("text/event-stream;q=0, application/json", False),
        ("text/event-stream;q=nonsense", True),
        ("", True),
    ],
)
def test_a_client_gets_what_it_takes(accept: str | None, stream: bool) -> None:
    assert wants_stream(accept, polls=False) is stream


def test_who_takes_anything_and_asks_like_a_poll_gets_a_page() -> None:
    assert not wants_stream(None, polls=True)
    assert not wants_stream("*/*", polls=True)
    assert not wants_stream("application/json, text/event-stream", polls=True)


def test_a_stream_that_asks_like_a_poll_is_refused() -> None:
    with pytest.raises(ValidationFailed):
        wants_stream("text/event-stream", polls=True)
