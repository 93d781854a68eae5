"""Numbers as JavaScript reads them: this contract was first served by a server written in it."""

import re
from math import inf, nan

_SPACE = "\t\n\v\f\r \u00a0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff" + "".join(
    map(chr, range(0x2000, 0x200B))
)
# No digit is looked at twice, however many there are.
_DECIMAL = re.compile(r"[+-]?(?:[0-9]++\.?[0-9]*+|\.[0-9]++)(?:[eE][+-]?[0-9]++)?")
_INFINITY = re.compile(r"([+-]?)Infinity")
_RADIX = re.compile(r"0(?:[xX][0-9a-fA-F]+|[oO][0-7]+|[bB][01]+)")
_LEADING = re.compile(r"[+-]?[0-9]+")


def number(value: object) -> float:
    """Convert like `Number(value)`: null is 0, true is 1, what is no number is NaN."""
    if value is None:
        return 0.0
    if isinstance(value, bool | int | float):
        return float(value)
    if isinstance(value, str):
        return _number_in(value.strip(_SPACE))
    return _number_in(_joined(value)) if isinstance(value, list) else nan


def _joined(items: list[object]) -> str:
    """An array is the text of its only item; with more of them there is a comma, and no number."""
    match items:
        case []:
            return ""
        case [str() as only]:
            return only.strip(_SPACE)
        case [bool()]:
            return "NaN"
        case [int() | float() as only]:
            return str(only)
        case [None]:
            return ""
        case [list() as inner]:
            return _joined(inner)
    return "NaN"


def _number_in(text: str) -> float:
    if not text:
        return 0.0
    if _DECIMAL.fullmatch(text):
        return float(text)
    if match := _INFINITY.fullmatch(text):
        return -inf if match[1] == "-" else inf
    return _float(int(text, 0)) if _RADIX.fullmatch(text) else nan


def _float(integer: int) -> float:
    try:
        return float(integer)
    except OverflowError:
        return inf


def truthy(value: object) -> bool:
    """Convert like `Boolean(value)`: empty arrays and objects are true."""
    return value is not None and (isinstance(value, list | dict) or bool(value))


def leading_integer(text: str) -> int | None:
    """Read like `parseInt(text, 10)`: the digits it begins with; null where there are none."""
    match = _LEADING.match(text.lstrip(_SPACE))
    return None if match is None else int(match[0][:_ENOUGH])


_ENOUGH = 20  # digits: no limit is that high, and Python refuses to read thousands of them
