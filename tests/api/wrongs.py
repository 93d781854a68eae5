"""Every way to get a value wrong that can be derived from its schema."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from tests.api.promises import resolve

Json: TypeAlias = Any
Schema: TypeAlias = dict[str, Any]

BEYOND = 1 << 63
NUL, SURROGATE = "a\x00b", "a\ud800b"

INVALID, NOT_JSON = "422 validation_failed", "400 invalid_json"

STRANGERS: dict[str, Json] = {
    "string": 5,
    "integer": "5",
    "number": "5",
    "boolean": "true",
    "array": {"0": 1},
    "object": ["key", "value"],
}
SIMPLE: dict[str, Json] = {
    "integer": 1,
    "number": 1.5,
    "boolean": True,
    "null": None,
    "string": "abcd",
}


@dataclass(frozen=True, kw_only=True)
class Wrong:
    """A value that is right but for `kind`; `loc` is the place the answer must name."""

    kind: str
    value: Json = field(repr=False)
    loc: tuple[str | int, ...] = ()
    expected: str = INVALID

    def inside(self, place: str | int, value: Json) -> "Wrong":
        """Return the value that holds this one at `place`."""
        return replace(self, loc=(place, *self.loc), value=value)


def example(document: Schema, schema: Schema) -> Json:
    """Make the smallest value that is right."""
    schema = resolve(document, schema)
    if "example" in schema:
        return schema["example"]
    if "examples" in schema:
        return schema["examples"][0]
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        return example(document, choices[0])
    if "const" in schema or "enum" in schema:
        return schema.get("const") or schema["enum"][0]
    if schema.get("format") == "date-time":
        return "2999-01-01T00:00:00Z"
    if "https" in schema.get("pattern", ""):
        return "https://example.org"
    if schema.get("type") == "array":
        return [example(document, schema["items"])]
    if schema.get("type") == "object":
        required = schema.get("required", ())
        return {name: example(document, schema["properties"][name]) for name in required}
    return SIMPLE.get(schema.get("type", "null"))


def wrongs(document: Schema, schema: Schema) -> Iterator[Wrong]:
    """List wrong values for this schema."""
    schema = resolve(document, schema)
    choices = schema.get("anyOf") or schema.get("oneOf")
    if choices:
        yield from _wrong_choices(document, [resolve(document, each) for each in choices])
    elif "type" not in schema:
        yield from _unstorable()
    elif schema["type"] != "null":
        yield Wrong(kind="wrong type", value=STRANGERS[schema["type"]])
        yield Wrong(kind="null", value=None)
        yield Wrong(kind="2^63", value=BEYOND)
        yield from BY_TYPE[schema["type"]](document, schema)


def _wrong_choices(document: Schema, choices: list[Schema]) -> Iterator[Wrong]:
    nullable = any(each.get("type") == "null" for each in choices)
    for each in choices:
        for wrong in wrongs(document, each):
            if wrong.loc or wrong.kind != "null" or not nullable:
                yield wrong


def _unstorable() -> Iterator[Wrong]:
    yield Wrong(kind="NUL", value=NUL)
    yield Wrong(kind="lone surrogate", value=SURROGATE)


def _strings(_: Schema, schema: Schema) -> Iterator[Wrong]:
    yield from _unstorable()
    if "maxLength" in schema:
        yield Wrong(kind="over limit", value="x" * (schema["maxLength"] + 1))
    if schema.get("minLength"):
        yield Wrong(kind="empty", value="")
    if {"enum", "const", "format"} & schema.keys():
        yield Wrong(kind="no such value", value="nonsense")


def _integers(_: Schema, schema: Schema) -> Iterator[Wrong]:
    yield Wrong(kind="2^64", value=1 << 64)
    yield Wrong(kind="a fraction", value=1.5)
    yield Wrong(kind="a boolean", value=True)
    if "maximum" in schema:
        yield Wrong(kind="over limit", value=int(schema["maximum"]) + 1)
    if "minimum" in schema:
        yield Wrong(kind="under limit", value=int(schema["minimum"]) - 1)


def _numbers(_: Schema, schema: Schema) -> Iterator[Wrong]:
    yield Wrong(kind="2^64", value=1 << 64)
    yield Wrong(kind="a boolean", value=True)
    if "maximum" in schema:
        yield Wrong(kind="over limit", value=schema["maximum"] + 1)
        yield Wrong(kind="under limit", value=schema.get("minimum", 0) - 1)


def _booleans(_: Schema, __: Schema) -> Iterator[Wrong]:
    yield Wrong(kind="a number", value=1)


def _arrays(document: Schema, schema: Schema) -> Iterator[Wrong]:
    right = example(document, schema["items"])
    if "maxItems" in schema:
        yield Wrong(kind="over limit", value=[right] * (schema["maxItems"] + 1))
    if schema.get("minItems"):
        yield Wrong(kind="empty", value=[])
    for wrong in wrongs(document, schema["items"]):
        yield wrong.inside(0, [wrong.value])


def _objects(document: Schema, schema: Schema) -> Iterator[Wrong]:
    if "properties" not in schema:
        yield from _free_objects(schema)
        return
    right = example(document, schema)
    yield Wrong(kind="unknown field", value=1).inside("no_such_field", right | {"no_such_field": 1})
    for name in schema.get("required", ()):
        rest = {key: value for key, value in right.items() if key != name}
        yield Wrong(kind="missing", value=None).inside(name, rest)
    for name, inner in schema["properties"].items():
        for wrong in wrongs(document, inner):
            yield wrong.inside(name, right | {name: wrong.value})


def _free_objects(schema: Schema) -> Iterator[Wrong]:
    deep: Json = 1
    for _ in range(65):
        deep = {"x": deep}
    yield Wrong(kind="too deep", value=deep, expected=NOT_JSON)
    yield Wrong(kind="NaN", value={"x": float("nan")}, expected=NOT_JSON)
    if "x-max-bytes" in schema:
        yield Wrong(kind="over limit", value={"x": "x" * schema["x-max-bytes"]})
    yield Wrong(kind="2^63 inside", value={"x": [BEYOND]})
    yield Wrong(kind="-2^63-1 inside", value={"x": [-BEYOND - 1]})
    for wrong in _unstorable():
        yield replace(wrong, kind=f"{wrong.kind} in a value", value={"x": [wrong.value]})
        yield replace(wrong, kind=f"{wrong.kind} in a key", value={wrong.value: 1})


BY_TYPE: dict[str, Callable[[Schema, Schema], Iterator[Wrong]]] = {
    "string": _strings,
    "integer": _integers,
    "number": _numbers,
    "boolean": _booleans,
    "array": _arrays,
    "object": _objects,
}
