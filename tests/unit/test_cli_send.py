"""What a terminal shows of an answer."""

import pytest

from inturn.send import text_of


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        ("plain", "plain"),
        ([{"type": "text", "text": "a"}, {"type": "image_url", "url": "x"}], "a\n[image_url]"),
    ],
)
def test_content_is_flattened(content: object, shown: str) -> None:
    assert text_of(content) == shown  # type: ignore[arg-type]
