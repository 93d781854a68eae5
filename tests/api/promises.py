"""A small reader of JSON schemas, as far as our own OpenAPI document uses them."""

from collections.abc import Iterator
from typing import Any

TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}


def resolve(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """Follow a reference, if it is one."""
    while "$ref" in schema:
        found: Any = document
        for part in schema["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        schema = found
    return schema


def mismatches(document: dict[str, Any], schema: dict[str, Any], value: object) -> list[str]:
    """Say where `value` is not what `schema` says; unknown keys count."""
    return list(_differences(document, resolve(document, schema), value, "$"))


def _differences(
    document: dict[str, Any], schema: dict[str, Any], value: object, at: str
) -> Iterator[str]:
    for each in schema.get("allOf", ()):
        yield from _differences(document, resolve(document, each), value, at)
    choices = schema.get("anyOf") or schema.get("oneOf")
    if choices:
        tried = [
            list(_differences(document, resolve(document, each), value, at)) for each in choices
        ]
        if all(tried):
            yield from min(tried, key=len)
        return
    expected = schema.get("type")
    if expected and not _is_a(value, expected):
        yield f"{at}: {value!r} is no {expected}"
    elif "const" in schema and value != schema["const"]:
        yield f"{at}: {value!r} is not {schema['const']!r}"
    elif "enum" in schema and value not in schema["enum"]:
        yield f"{at}: {value!r} is none of {schema['enum']}"
    elif isinstance(value, dict) and {"properties", "additionalProperties"} & schema.keys():
        yield from _object_differences(document, schema, value, at)
    elif isinstance(value, list) and "items" in schema:
        items = resolve(document, schema["items"])
        for index, each in enumerate(value):
            yield from _differences(document, items, each, f"{at}[{index}]")


def _is_a(value: object, expected: str | list[str]) -> bool:
    if isinstance(expected, list):
        return any(_is_a(value, each) for each in expected)
    if isinstance(value, bool):
        return expected == "boolean"
    return isinstance(value, TYPES[expected])


def _object_differences(
    document: dict[str, Any], schema: dict[str, Any], value: dict[str, object], at: str
) -> Iterator[str]:
    properties, others = schema.get("properties", {}), schema.get("additionalProperties", False)
    for name in set(schema.get("required", ())) - value.keys():
        yield f"{at}.{name} is missing"
    for name, inner in value.items():
        if name in properties:
            yield from _differences(
                document, resolve(document, properties[name]), inner, f"{at}.{name}"
            )
        elif others is False:
            yield f"{at}.{name} is not documented"
        elif others is not True:
            yield from _differences(document, resolve(document, others), inner, f"{at}.{name}")
