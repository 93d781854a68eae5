"""Every way to get a text of path, query or header wrong, and bodies that nobody can read."""

from collections.abc import Iterator

from tests.api.promises import resolve
from tests.api.wrongs import NOT_JSON, Schema

BAD_UTF8, NUL = "%ED%A0%80", "%00"  # the first is how a lone surrogate would be encoded

# Read leniently, as their RFCs ask for.
LENIENT = {"Prefer", "If-None-Match", "If-Match"}

RAW_BODIES = [
    ("malformed", NOT_JSON, b'{"a":'),
    ("not UTF-8", NOT_JSON, b'{"a":"\xff"}'),
    ("NaN", NOT_JSON, b'{"a":NaN}'),
    ("too deep", NOT_JSON, b"[" * 65 + b"]" * 65),
    ("over limit", "413 payload_too_large", b" " * 100_001),
]


def texts(document: Schema, parameter: Schema) -> Iterator[tuple[str, str]]:
    """List wrong texts for a parameter of path, query or header."""
    schema = non_null(document, parameter["schema"])
    if parameter["in"] == "header":
        if parameter["name"] not in LENIENT:
            yield "over limit", "x" * (schema["maxLength"] + 1)
            yield "not visible ASCII", "a b"
        return
    yield "NUL", f"a{NUL}"
    yield "lone surrogate", f"a{BAD_UTF8}"
    if "maxLength" in schema:
        yield "over limit", "x" * (schema["maxLength"] + 1)
    if parameter["in"] == "query":
        yield "twice", f"1&{parameter['name']}=1"
    if schema.get("type") == "integer":
        yield from _integers(schema)
    if {"enum", "format", "pattern"} & schema.keys() or "_" in str(schema.get("examples")):
        yield from (("wrong type", "n\u00e9nsense"), ("2^63", str(1 << 63) + "\u00e9"))
        yield from (("null", "null\u00e9"), ("other noun", "msg_" + "0" * 31 + "\u00e9"))
    if parameter["name"] == "cursor":
        yield from (("wrong type", "zz"), ("2^63", str(1 << 63)), ("null", "bnVsbA"))


def _integers(schema: Schema) -> Iterator[tuple[str, str]]:
    yield from (("wrong type", "x"), ("wrong type", "1.5"), ("null", "null"), ("empty", ""))
    yield from (("2^63", str(1 << 63)), ("2^63", str(-(1 << 63) - 1)))
    if "maximum" in schema:
        yield "over limit", str(int(schema["maximum"]) + 1)
    if "minimum" in schema:
        yield "under limit", str(int(schema["minimum"]) - 1)


def non_null(document: Schema, schema: Schema) -> Schema:
    """Take the first choice that is something."""
    choices = schema.get("anyOf", [schema])
    return resolve(document, next(each for each in choices if each.get("type") != "null"))
