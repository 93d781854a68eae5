"""What JSON we take, whichever of the two readers sees it."""

import json

import pytest

from ingress import strictjson
from ingress.strictjson import MAX_DEPTH, parse_items, parse_json
from shared.clock import monotonic
from shared.domain.errors import InturnError, InvalidJson, ValidationFailed
from tests.api.caller import Json, document

ESCAPED = b'"\\ud83d\\ude00"'  # an escaped surrogate sends the whole body to the exact reader


@pytest.mark.parametrize(
    "value",
    [
        {"a": [1, 2.5, None, True, "é", "😀"]},
        -(1 << 63),
        (1 << 63) - 1,
        0.1234567890123456789,
        "\\u0000 is only a backslash",
        "\U0001f600",
        "",
        [[] for _ in range(200)],
        [{"[": '"{[', "\\\\": ["\\", "}"]} for _ in range(100)],
    ],
)
def test_both_readers_agree(value: Json) -> None:
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False)):
        assert parse_json(text.encode()) == value
        assert parse_json(b"[%b,%b]" % (text.encode(), ESCAPED)) == [value, "😀"]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b'{"a":1,}',
        b"{'a':1}",
        b"NaN",
        b"-Infinity",
        b"1e999",
        b'"\xff"',
        b'"\x00"',
        b"\xef\xbb\xbf1",
        b"01",
        b"1 2",
        b"[" * 65 + b"]" * 65,
        b"[" * 5_000 + b"]" * 5_000,
        b"[" * 200_000,
        b'{"a":' * 70 + b"1" + b"}" * 70,
    ],
)
def test_what_is_not_json_is_refused_by_both(raw: bytes) -> None:
    for body in (raw, b"[%b,%b]" % (raw, ESCAPED)):
        with pytest.raises(InvalidJson):
            parse_json(body)


def test_depth_is_counted_not_brackets() -> None:
    deep = b"[" * (MAX_DEPTH - 1) + b"[],[]" + b"]" * (MAX_DEPTH - 1)
    parse_json(deep)
    with pytest.raises(InvalidJson):
        parse_json(b"[" + deep + b"]")


@pytest.mark.parametrize(
    ("raw", "loc"),
    [
        (b'{"a":["x","\\u0000"]}', ("body", "a", 1)),
        (b'{"a":{"\\u0000":1}}', ("body", "a")),
        (b'{"a":"\\ud800"}', ("body", "a")),
        (b'{"a":"\\udc00\\ud800"}', ("body", "a")),
        (b'{"\\ud800":1}', ("body",)),
        (b'{"a":[9223372036854775808]}', ("body", "a", 0)),
        (b'{"a":-9223372036854775809}', ("body", "a")),
        (b'{"a":%b}' % (b"9" * 5_000), ("body", "a")),
    ],
)
def test_what_no_database_can_hold_is_refused_with_its_place(
    raw: bytes, loc: tuple[str | int, ...]
) -> None:
    with pytest.raises(ValidationFailed) as caught:
        parse_json(raw)
    error: InturnError = caught.value
    assert isinstance(error, ValidationFailed)
    assert [each.loc for each in error.errors] == [loc]


def test_items_are_judged_one_by_one() -> None:
    raw = b'[1,"\\u0000",{"a":9223372036854775808},%b,"x"]' % (b"[" * 65 + b"]" * 65)
    one, nul, large, deep, x = parse_items(raw)
    assert (one, x) == (1, "x")
    assert isinstance(nul, ValidationFailed)
    assert isinstance(large, ValidationFailed)
    assert isinstance(deep, InvalidJson)
    assert list(parse_items(b"[" * 64 + b"]" * 64)) == [json.loads(b"[" * 63 + b"]" * 63)]
    assert list(parse_items(b"[ ]")) == []
    with pytest.raises(ValidationFailed):
        parse_items(b'{"0":1}')


def test_items_that_nobody_asks_for_are_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    judged: list[Json] = []
    monkeypatch.setattr(strictjson, "_judged", judged.append)
    items = parse_items(b'["\\u0000"' + b",1" * 10_000 + b"]")
    assert [next(items), next(items)] == [None, None]
    assert judged == ["\x00", 1]


@pytest.mark.parametrize("end", [b"", b"\\", b'"', b'"]'])
def test_a_text_that_does_not_end_is_read_once(end: bytes) -> None:
    with pytest.raises(InvalidJson):
        parse_items(b"[" * 65 + b'"' + b'\\"' * 1_000_000 + end)


@pytest.mark.parametrize("part", [b"[", b"[" * 64 + b"0,"])
def test_what_only_opens_is_soon_known_to_be_too_deep(part: bytes) -> None:
    began = monotonic()
    with pytest.raises(InvalidJson):
        parse_json(part * (10_000_000 // len(part)))
    assert monotonic() - began < 1.0


def test_whatever_is_posted_is_read() -> None:
    unread = [
        f"{method} {path}"
        for path, operations in document()["paths"].items()
        for method in operations.keys() & {"post", "patch", "put"}
        if "requestBody" not in operations[method]
    ]
    assert unread == []
