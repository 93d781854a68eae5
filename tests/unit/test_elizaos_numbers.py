"""What JavaScript makes of a value, and what a policy becomes of it."""

from math import inf, isnan, nan
from typing import Any

import pytest

from ingress.dialects.elizaos.wire.numbers import leading_integer, number, truthy
from ingress.dialects.elizaos.wire.refusal import Refusal
from ingress.dialects.elizaos.wire.timeout import from_expiry, to_change, to_wish
from shared.domain.lifetime import Bounds, Expiry, Wish


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (7, 7), (1.5, 1.5), ("7", 7), (" 7\n", 7), ("\ufeff7\u2003", 7), ("1.5", 1.5),
        (".5", 0.5), ("5.", 5), ("1e3", 1000), ("+1E-1", 0.1), ("-0", 0), ("", 0), ("  ", 0),
        (None, 0), (True, 1), (False, 0), ("0x1F", 31), ("0b11", 3), ("0O17", 15),
        ("Infinity", inf), ("-Infinity", -inf), ([], 0), ([5], 5), (["5"], 5), ([[" 6 "]], 6),
        ([None], 0), ("1" * 400, inf), ("0x" + "F" * 400, inf),
        ("7 minutes", nan), ("1_000", nan), ("inf", nan), ("nan", nan), ("-0x1", nan), ("1,5", nan),
        ("\u0663", nan), ({}, nan), ([1, 2], nan), ([True], nan), ([{}], nan), (".", nan),
        ("0x", nan), ("e5", nan), ("--1", nan),
    ],
)  # fmt: skip
def test_a_number_is_what_javascript_takes_for_one(value: Any, expected: float) -> None:  # noqa: ANN401
    found = number(value)
    assert isnan(found) if isnan(expected) else found == expected


def test_a_long_number_is_read_in_no_more_time_than_its_length() -> None:
    digits = "1" * 1_000_000
    assert isnan(number(digits + "x"))
    assert isnan(number(f".{digits}x"))
    assert isnan(number(f"1e{digits}x"))


def test_what_is_true() -> None:
    assert [each for each in (None, False, 0, "", 0.0) if truthy(each)] == []
    yes: list[object] = [True, 1, "false", [], {}, -1]
    assert [each for each in yes if not truthy(each)] == []


def test_the_integer_that_a_text_begins_with() -> None:
    given = ["10", " 7 apples", "-3", "1.9", "x1", "", "9" * 5000, "+4"]
    assert [leading_integer(each) for each in given[:6]] == [10, 7, -3, 1, None, None]
    assert (leading_integer(given[6]) or 0) > 10**18
    assert leading_integer(given[7]) == 4


BOUNDS = Bounds()
USUAL = BOUNDS.default(Wish())


def created(config: object) -> Expiry:
    return BOUNDS.clamped(to_wish(config), USUAL)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (None, (30, True, 720, 5)),
        ({}, (30, True, 720, 5)),
        ({"timeoutMinutes": 60.5}, (60.5, True, 720, 5)),
        ({"timeoutMinutes": "60"}, (60, True, 720, 5)),
        ({"timeoutMinutes": 1}, (5, True, 720, 5)),
        ({"timeoutMinutes": None}, (5, True, 720, 5)),
        ({"timeoutMinutes": 99999}, (1440, True, 720, 5)),
        ({"timeoutMinutes": "soon"}, (30, True, 720, 5)),
        ({"timeoutMinutes": "Infinity"}, (30, True, 720, 5)),
        ({"timeoutMinutes": {}}, (30, True, 720, 5)),
        ({"autoRenew": False}, (30, False, 720, 5)),
        ({"autoRenew": None}, (30, False, 720, 5)),
        ({"autoRenew": "false"}, (30, True, 720, 5)),
        ({"maxDurationMinutes": 10}, (30, True, 30, 5)),
        ({"maxDurationMinutes": 99999}, (30, True, 2880, 5)),
        ({"maxDurationMinutes": "never"}, (30, True, 720, 5)),
        ({"warningThresholdMinutes": 0}, (30, True, 720, 1)),
        ({"warningThresholdMinutes": 999}, (30, True, 720, 999)),
        ({"warningThresholdMinutes": "x"}, (30, True, 720, 5)),
        ({"unknown": 1}, (30, True, 720, 5)),
    ],
)
def test_a_wish_is_bounded_and_never_refused(config: object, expected: tuple[Any, ...]) -> None:
    expiry = created(config)
    assert (
        expiry.timeout_minutes,
        expiry.auto_renew,
        expiry.max_duration_minutes,
        expiry.warning_threshold_minutes,
    ) == expected


@pytest.mark.parametrize(
    "config",
    [
        None,
        [],
        "x",
        5,
        {"timeoutMinutes": None},
        {"timeoutMinutes": True},
        {"maxDurationMinutes": {}},
        {"warningThresholdMinutes": []},
        {"autoRenew": "true"},
        {"autoRenew": None},
    ],
)
def test_a_change_of_the_wrong_type_is_refused(config: object) -> None:
    with pytest.raises(Refusal) as refused:
        to_change(config)
    assert refused.value.told_code == "VALIDATION_ERROR"
    assert refused.value.detail.startswith("Invalid timeout configuration: ")
    assert refused.value.details is not None
    assert refused.value.details["providedConfig"] == config


def test_a_change_says_nothing_of_what_it_leaves_out() -> None:
    assert to_change({}) == Wish()
    assert to_change({"timeoutMinutes": "90", "autoRenew": False}) == Wish(
        timeout_minutes=90.0, auto_renew=False
    )


def test_only_an_object_is_a_policy() -> None:
    wrongs: list[object] = ["x", [], 5]
    for config in wrongs:
        with pytest.raises(Refusal):
            to_wish(config)


def test_whole_minutes_are_printed_as_such() -> None:
    printed = from_expiry(Expiry(timeout_minutes=5.0, max_duration_minutes=7.5))
    assert repr(list(printed.values())) == "[5, True, 7.5, None]"
