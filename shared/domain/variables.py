"""Variables: what a configuration wants to be told with its messages.

Declared as `variables`, a list of `{name, type, scope, required, default}` or an object of these
by name. One of scope `session` is given once and then kept; one of scope `request` is given with
every message that needs it. What is not declared is passed on.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

from shared.domain.errors import FieldError, ValidationFailed
from shared.domain.jsontypes import Json, JsonObject

MAX_VARIABLES = 100
MAX_DEFAULTS_BYTES = 64 * 1024  # every run is told them: as much as a message may give
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "bool": (bool,),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}
_SCOPES = ("session", "request")
_PLACE = ("body", "variables")


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A variable; a `type` of null takes any value, a `default` of null is none."""

    name: str
    type: str | None = None
    kept: bool = True  # for the session, once it was given
    required: bool = False
    default: Json = None

    def takes(self, value: Json) -> bool:
        """Tell whether this may be its value."""
        if self.type is None:
            return True
        if isinstance(value, bool) and bool not in _TYPES[self.type]:
            return False
        return isinstance(value, _TYPES[self.type])


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What a run is told, and what of it the session is to remember."""

    inputs: JsonObject = field(default_factory=dict)
    remembered: JsonObject = field(default_factory=dict)


def read_variables(declared: Json) -> tuple[Variable, ...]:
    """Read what a configuration declares. Raises ValidationFailed."""
    if declared is None:
        return ()
    entries = list(_entries(declared))
    if len(entries) > MAX_VARIABLES:
        raise ValidationFailed.of(_PLACE, f"more than {MAX_VARIABLES}")
    variables = tuple(_variable(name, entry) for name, entry in entries)
    for variable in variables:
        if sum(each.name == variable.name for each in variables) > 1:
            raise ValidationFailed.of(_PLACE, f"{variable.name!r} is declared twice")
    defaults = [each.default for each in variables]
    if len(json.dumps(defaults, ensure_ascii=False).encode()) > MAX_DEFAULTS_BYTES:
        problem = f"the defaults are larger than {MAX_DEFAULTS_BYTES} bytes as JSON"
        raise ValidationFailed.of(_PLACE, problem)
    return variables


def _entries(declared: Json) -> Iterator[tuple[Json, Json]]:
    if isinstance(declared, dict):
        for name, entry in declared.items():
            yield name, {"type": entry} if isinstance(entry, str) else entry
    elif isinstance(declared, list):
        for entry in declared:
            yield (entry.get("name") if isinstance(entry, dict) else None), entry
    else:
        raise ValidationFailed.of(_PLACE, "expected a list of variables, or an object of them")


def _variable(name: Json, entry: Json) -> Variable:
    if not isinstance(entry, dict) or not isinstance(name, str) or not name:
        raise ValidationFailed.of(_PLACE, "a variable is an object, and has a name")
    type_, scope = entry.get("type"), entry.get("scope", _SCOPES[0])
    required, default = entry.get("required", False), entry.get("default")
    if type_ is not None and not (isinstance(type_, str) and type_ in _TYPES):
        raise ValidationFailed.of((*_PLACE, name), f"a type is one of {', '.join(_TYPES)}")
    if scope not in _SCOPES:
        raise ValidationFailed.of((*_PLACE, name), f"a scope is one of {', '.join(_SCOPES)}")
    if not isinstance(required, bool):
        raise ValidationFailed.of((*_PLACE, name), "`required` is true or false")
    variable = Variable(
        name=name,
        type=type_,
        kept=scope == _SCOPES[0],
        required=required,
        default=default,
    )
    if default is not None and not variable.takes(default):
        raise ValidationFailed.of((*_PLACE, name), f"the default is no {type_}")
    return variable


def merge(variables: tuple[Variable, ...], kept: JsonObject, given: JsonObject) -> Given:
    """Put together what a run is told. Raises ValidationFailed, naming each variable."""
    inputs, remembered = dict(given), {}
    wrong: list[FieldError] = []
    for each in variables:
        if each.name in given:
            if not each.takes(given[each.name]):
                wrong.append(_wrong(each, f"is no {each.type}"))
            elif each.kept and (each.name not in kept or kept[each.name] != given[each.name]):
                remembered[each.name] = given[each.name]
        elif each.kept and each.name in kept:
            inputs[each.name] = kept[each.name]
        elif each.default is not None:
            inputs[each.name] = each.default
        elif each.required:
            wrong.append(_wrong(each, "is required"))
    if wrong:
        raise ValidationFailed(tuple(wrong))
    return Given(inputs=inputs, remembered=remembered)


def _wrong(variable: Variable, problem: str) -> FieldError:
    return FieldError(("body", "inputs", variable.name), problem)
