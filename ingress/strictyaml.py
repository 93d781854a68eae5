"""What YAML we take: what JSON can say, written as YAML 1.2's core schema reads it.

No anchors, aliases, tags, directives, merge keys or keys that are no text, one document; then
what JSON must keep, too. The parser's events are read one by one: nothing is built that is then
refused.
"""

import re
from collections.abc import Iterator
from typing import NoReturn, Protocol, cast

import yaml

from ingress.strictjson import INT64, MAX_DEPTH, inspect
from shared.domain.errors import InvalidJson
from shared.domain.jsontypes import Json, JsonObject

# All else in this process waits while a body is read.
MAX_VALUES = 50_000

# libyaml, where PyYAML was built with it: twenty times as fast, and the same events.
_LOADER = cast("type[yaml.SafeLoader]", getattr(yaml, "CSafeLoader", yaml.SafeLoader))
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEAN = {
    text: value
    for word, value in (("true", True), ("false", False))
    for text in (word, word.capitalize(), word.upper())
}
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", re.ASCII)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_NO_NUMBER = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", re.ASCII)
_MERGE = "<<"
# Of many directives libyaml compares each with every other.
_DIRECTIVE = re.compile("(?:\\A|[\r\n\x85\u2028\u2029\ufeff])%(?:TAG|YAML)")


class _Mark(Protocol):
    """A place, as either parser names it."""

    line: int


def parse_yaml(raw: bytes) -> Json:
    """Parse a body; one of comments alone is null.

    Raises InvalidJson, or ValidationFailed for text and numbers that no database could hold.
    """
    try:
        text = raw.decode("utf-8-sig")
        if _DIRECTIVE.search(text):
            _refuse("directives are not taken", None)
        value = _Reader(text).document()
    except UnicodeDecodeError:
        raise InvalidJson("The body is not UTF-8.") from None
    except yaml.MarkedYAMLError as error:
        _refuse(error.problem or "cannot be read", error.problem_mark)
    except yaml.YAMLError:
        raise InvalidJson("The body is not YAML: it has characters that YAML forbids.") from None
    inspect(value)
    return value


def _refuse(what: str, mark: _Mark | None) -> NoReturn:
    place = f" in line {mark.line + 1}" if mark else ""
    raise InvalidJson(f"The body is not YAML that can be read{place}: {what}.")


class _Reader:
    """One document, read from events into values."""

    def __init__(self, text: str) -> None:
        self._parser = _LOADER(text)
        self._left = MAX_VALUES

    def document(self) -> Json:
        try:
            events = self._events()
            next(events)  # the stream's start
            if isinstance(next(events), yaml.StreamEndEvent):
                return None
            value = self._value(next(events), events, 0)
            next(events)  # the document's end
            after = next(events)
            if not isinstance(after, yaml.StreamEndEvent):
                _refuse("there is a second document", after.start_mark)
            return value
        finally:
            self._parser.dispose()

    def _events(self) -> Iterator[yaml.Event]:
        while self._parser.check_event():
            yield self._parser.get_event()  # type: ignore[no-untyped-call]

    def _value(self, event: yaml.Event, events: Iterator[yaml.Event], depth: int) -> Json:
        self._check(event)
        if isinstance(event, yaml.ScalarEvent):
            return _scalar(event)
        if depth == MAX_DEPTH:
            _refuse(f"nested deeper than {MAX_DEPTH} levels", event.start_mark)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(events, depth + 1)
        return self._mapping(events, depth + 1)

    def _check(self, event: yaml.Event) -> None:
        self._left -= 1
        if self._left < 0:
            _refuse(f"more than {MAX_VALUES} values", event.start_mark)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            _refuse("anchors and aliases are not taken", event.start_mark)
        if getattr(event, "tag", None) is not None:
            _refuse("tags are not taken", event.start_mark)

    def _sequence(self, events: Iterator[yaml.Event], depth: int) -> list[Json]:
        items: list[Json] = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            items.append(self._value(event, events, depth))
        return items

    def _mapping(self, events: Iterator[yaml.Event], depth: int) -> JsonObject:
        entries: JsonObject = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            key = self._key(event)
            if key in entries:
                _refuse(f"the key {key[:100]!r} is there twice", event.start_mark)
            entries[key] = self._value(next(events), events, depth)
        return entries

    def _key(self, event: yaml.Event) -> str:
        self._check(event)
        key = _scalar(event) if isinstance(event, yaml.ScalarEvent) else None
        if not isinstance(key, str):
            _refuse("a key is not text; quote it", event.start_mark)
        if key == _MERGE and cast("yaml.ScalarEvent", event).implicit[0]:
            _refuse("merge keys are not taken", event.start_mark)
        return key


def _scalar(event: yaml.ScalarEvent) -> Json:
    """Read a scalar; what is quoted is text, and so is what looks like a date."""
    text: str = event.value
    if not event.implicit[0]:
        return text
    if text in _NULL:
        return None
    if text in _BOOLEAN:
        return _BOOLEAN[text]
    if _INTEGER.fullmatch(text):
        return _integer(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _NO_NUMBER.fullmatch(text):
        raise InvalidJson("NaN and infinite numbers are not taken.")
    return text


def _integer(text: str) -> int:
    # Python refuses to read thousands of digits; any number out of range will do for them.
    digits = text.lstrip("+-").lstrip("0")
    if len(digits) > len(str(INT64.start)) + 3:
        return INT64.stop
    base = {"0o": 8, "0x": 16}.get(text[:2], 10)
    return int(text, base)
