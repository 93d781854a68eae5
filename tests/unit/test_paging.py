import base64
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.errors import ValidationFailed
from shared.domain.paging import Cursor, Page, decode_cursor, encode_cursor

HEX = "0123456789abcdef" * 2
keys = st.tuples(st.integers(-(2**63) + 1, 2**63 - 1), st.uuids().map(lambda each: each.hex))


@given(keys)
def test_a_cursor_is_read_as_it_was_printed(cursor: Cursor) -> None:
    text = encode_cursor(cursor)
    assert text is not None
    assert decode_cursor(text, (int, str)) == cursor
    assert text.isascii()
    assert not set(text) & set("=+/&?# ")


def test_no_cursor_prints_as_none() -> None:
    assert encode_cursor(None) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "=",
        "%%%",
        "é",
        "a b",
        *(
            base64.urlsafe_b64encode(raw.encode()).decode()
            for raw in (
                "null", "1", "[]", "[1]", '["x", 1]', f'[1, "{HEX}", 2]', f'[true, "{HEX}"]',
                f'[1.0, "{HEX}"]', f'[{2**63}, "{HEX}"]', '[1, "zz"]', f'[1, "{HEX.upper()}"]',
                f'[1, "{HEX}\\n"]', f'[NaN, "{HEX}"]', "[" * 100_000,
            )
        ),
    ],
)  # fmt: skip
def test_what_was_never_printed_is_refused(text: str) -> None:
    with pytest.raises(ValidationFailed) as error:
        decode_cursor(text, (int, str))
    assert error.value.errors[0].loc == ("query", "cursor")


@given(st.text("AZaz09-_=\x00\n é", max_size=12))
def test_any_text_is_a_cursor_or_refused(text: str) -> None:
    with contextlib.suppress(ValidationFailed):
        decode_cursor(text, (int,))


@given(st.integers(0, 30), st.integers(1, 10))
def test_pages_put_together_are_the_list(total: int, limit: int) -> None:
    seen: list[int] = []
    page = Page(limit=limit)
    for _ in range(total + 1):
        start = 0 if page.cursor is None else int(page.cursor[0]) + 1
        listing = page.cut(range(start, total)[: limit + 1], lambda n: (n,))
        seen += listing.data
        if listing.next_cursor is None:
            break
        page = Page(limit=limit, cursor=listing.next_cursor)
    assert seen == list(range(total))


def test_a_page_may_be_mapped() -> None:
    listing = Page(limit=2).cut([1, 2, 3], lambda n: (n,)).map(str)
    assert (listing.data, listing.next_cursor) == (("1", "2"), (2,))
