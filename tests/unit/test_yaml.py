"""What YAML may say, and what it may not make this process do."""

import pytest

from ingress.strictyaml import MAX_VALUES, parse_yaml
from shared.domain.errors import InvalidJson, ValidationFailed
from shared.domain.jsontypes import Json

MEGABYTES = 2 * 1024 * 1024


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("name: echo\ntools: []", {"name": "echo", "tools": []}),
        ("a: {b: [1, 2.5, true, null, ~]}", {"a": {"b": [1, 2.5, True, None, None]}}),
        ("a:", {"a": None}),
        ("a: |\n  one\n  two\n", {"a": "one\ntwo\n"}),
        ("a: 2024-01-01", {"a": "2024-01-01"}),
        ("a: 12:30:00", {"a": "12:30:00"}),
        ("a: no", {"a": "no"}),
        ("a: 'true'", {"a": "true"}),
        ('a: "1"', {"a": "1"}),
        ("a: 017", {"a": 17}),
        ("a: 0x1f", {"a": 31}),
        ("a: 0o17", {"a": 15}),
        ("a: -.5e3", {"a": -500.0}),
        ("a: 1_000", {"a": "1_000"}),
        ("'<<': 1", {"<<": 1}),
        ("'1': x", {"1": "x"}),
        ('{"json": ["is", "YAML"]}', {"json": ["is", "YAML"]}),
        ("a: 1\n...\n", {"a": 1}),
        ("\ufeffa: 1", {"a": 1}),
        ("# nothing", None),
    ],
)
def test_what_json_can_say_is_read(text: str, value: Json) -> None:
    assert parse_yaml(text.encode()) == value


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: &x 1\nb: *x", "anchors and aliases"),
        ("a: *x", "anchors and aliases"),
        ("&x a: 1", "anchors and aliases"),
        ("a: &x []", "anchors and aliases"),
        ("a: !!binary aGk=", "tags"),
        ("a: !!timestamp 2024-01-01", "tags"),
        ("a: !!python/object/apply:os.system [ls]", "tags"),
        ("a: !!set {x}", "tags"),
        ("a: {<<: {b: 1}}", "merge keys"),
        ("a: 1\nb: 2\na: 3", "line 3: the key 'a' is there twice"),
        ("1: x", "a key is not text"),
        ("? [a]\n: x", "a key is not text"),
        ("true: x", "a key is not text"),
        ("a: 1\n---\nb: 2", "second document"),
        ("%YAML 1.1\n---\na: 1", "directives"),
        ("a: 1\n...\n%TAG !x! y\n---\nb: 1", "directives"),
        ("a: .nan", "NaN and infinite"),
        ("a: -.INF", "NaN and infinite"),
        ("a: 1e999", "NaN and infinite"),
        ("a: [", "line"),
        ("a: b: c", "line 1"),
        ("a: \x01", "characters that YAML forbids"),
        ("[" * 65 + "]" * 65, "deeper than 64"),
        ("- " * 65 + "a", "deeper than 64"),
    ],
)
def test_what_json_cannot_say_is_refused(text: str, why: str) -> None:
    with pytest.raises(InvalidJson, match=why):
        parse_yaml(text.encode())


def test_what_is_no_utf8_is_refused() -> None:
    with pytest.raises(InvalidJson, match="UTF-8"):
        parse_yaml("a: b".encode("utf-16"))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: 9223372036854775808", "beyond 64 bits"),
        ("a: " + "9" * 5000, "beyond 64 bits"),
        ('a: "\\0"', "NUL"),
        ('"\\0": 1', "NUL"),
    ],
)
def test_what_no_database_holds_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        parse_yaml(text.encode())
    assert why in refused.value.errors[0].msg


def test_depth_is_counted_as_in_json() -> None:
    value = parse_yaml(b"[" * 64 + b"]" * 64)
    for _ in range(63):
        assert isinstance(value, list)
        [value] = value


def test_many_values_are_refused_before_they_are_all_read() -> None:
    assert len(_list(parse_yaml(b"- 1\n" * (MAX_VALUES - 1)))) == MAX_VALUES - 1
    with pytest.raises(InvalidJson, match=f"line {MAX_VALUES}: more than {MAX_VALUES} values"):
        parse_yaml(b"- 1\n" * (MEGABYTES // 4))


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    "raw",
    [
        b"[" * MEGABYTES,
        b"? " * (MEGABYTES // 2),
        b"".join(b"%%TAG !a%d! x\n" % number for number in range(MEGABYTES // 16)),
        b"a: 1\n...\n" + b"".join(b"%%TAG !a%d! x\n" % i for i in range(MEGABYTES // 16)),
        b"---\n" * (MEGABYTES // 4),
        b"[" + b"a," * (MEGABYTES // 2),
        b"a: &a [x]\n" + b"".join(b"b%d: [*a, *a]\n" % i for i in range(9999)),
        b'"' + b"a\n" * (MEGABYTES // 2),
    ],
    ids=["open", "keys", "directives", "late", "documents", "values", "laughs", "unended"],
)
def test_hostile_text_takes_no_time(raw: bytes) -> None:
    with pytest.raises(InvalidJson):
        parse_yaml(raw)


def _list(value: Json) -> list[Json]:
    assert isinstance(value, list)
    return value
