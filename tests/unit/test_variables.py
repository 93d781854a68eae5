"""Variables: what a configuration declares, and what a message gives."""

import pytest

from shared.domain.errors import ValidationFailed
from shared.domain.jsontypes import Json, JsonObject
from shared.domain.variables import (
    MAX_DEFAULTS_BYTES,
    MAX_VARIABLES,
    Variable,
    merge,
    read_variables,
)


def test_variables_are_declared_as_a_list_or_by_name() -> None:
    listed = read_variables(
        [
            {"name": "customer", "type": "string", "required": True},
            {"name": "page", "type": "number", "scope": "request", "default": 1},
        ]
    )
    assert listed == (
        Variable(name="customer", type="string", required=True),
        Variable(name="page", type="number", kept=False, default=1),
    )
    assert read_variables({"customer": "string"}) == (Variable(name="customer", type="string"),)
    assert read_variables(None) == ()


@pytest.mark.parametrize(
    ("declared", "why"),
    [
        ("customer", "expected a list"),
        ([1], "has a name"),
        ([{"type": "string"}], "has a name"),
        ([{"name": ""}], "has a name"),
        ([{"name": "a", "type": "date"}], "a type is one of"),
        ([{"name": "a", "type": ["string"]}], "a type is one of"),
        ([{"name": "a", "scope": "world"}], "a scope is one of"),
        ([{"name": "a", "required": 1}], "true or false"),
        ([{"name": "a", "type": "string", "default": 1}], "the default is no string"),
        ([{"name": "a"}, {"name": "a"}], "declared twice"),
        ([{"name": str(number)} for number in range(MAX_VARIABLES + 1)], "more than"),
        ([{"name": "a", "default": "x" * MAX_DEFAULTS_BYTES}], "the defaults are larger than"),
    ],
)
def test_what_is_declared_wrongly_is_named(declared: Json, why: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        read_variables(declared)
    assert why in refused.value.errors[0].msg


DECLARED = read_variables(
    [
        {"name": "customer", "type": "string", "required": True},
        {"name": "page", "type": "integer", "scope": "request", "default": 1},
        {"name": "token", "scope": "request", "required": True},
    ]
)


def test_what_was_given_once_is_there_and_what_is_new_is_remembered() -> None:
    first = merge(DECLARED, {}, {"customer": "Ada", "token": "t", "other": [1]})
    assert first.inputs == {"customer": "Ada", "token": "t", "other": [1], "page": 1}
    assert first.remembered == {"customer": "Ada"}
    again = merge(DECLARED, first.remembered, {"token": "u", "page": 2})
    assert again.inputs == {"customer": "Ada", "token": "u", "page": 2}
    assert again.remembered == {}
    changed = merge(DECLARED, first.remembered, {"token": "u", "customer": "Bob"})
    assert changed.remembered == {"customer": "Bob"}


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({"token": "t"}, [("customer", "is required")]),
        ({"customer": "Ada"}, [("token", "is required")]),
        ({"customer": 1, "token": "t"}, [("customer", "is no string")]),
        ({"customer": "Ada", "token": "t", "page": True}, [("page", "is no integer")]),
        ({}, [("customer", "is required"), ("token", "is required")]),
    ],
)
def test_what_is_given_wrongly_is_named(given: JsonObject, wrong: list[tuple[str, str]]) -> None:
    with pytest.raises(ValidationFailed) as refused:
        merge(DECLARED, {}, given)
    assert [(each.loc[-1], each.msg) for each in refused.value.errors] == wrong


def test_a_boolean_is_no_number() -> None:
    flags = read_variables({"on": "bool", "n": "number"})
    assert merge(flags, {}, {"on": False, "n": 0.5}).inputs == {"on": False, "n": 0.5}
    with pytest.raises(ValidationFailed):
        merge(flags, {}, {"on": 1})
