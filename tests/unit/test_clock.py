from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.clock import SECOND, Instant, after, from_datetime, iso, to_datetime, wall

instants = st.integers(0, 253_402_300_799 * SECOND).map(Instant)


@given(instants)
def test_an_instant_loses_nothing_as_a_datetime(instant: Instant) -> None:
    assert from_datetime(to_datetime(instant)) == instant


@given(instants)
def test_iso_is_cut_to_milliseconds(instant: Instant) -> None:
    printed = iso(instant)
    assert printed.endswith("Z")
    read = datetime.fromisoformat(printed)
    assert from_datetime(read) == instant - instant % 1000


def test_iso_has_always_three_digits() -> None:
    assert iso(Instant(0)) == "1970-01-01T00:00:00.000Z"
    assert iso(Instant(1_700_000_000_012_345)) == "2023-11-14T22:13:20.012Z"


def test_another_zone_is_the_same_instant() -> None:
    moment = datetime.fromisoformat("2026-01-01T12:00:00.000001+02:00")
    assert to_datetime(from_datetime(moment)) == moment
    assert from_datetime(moment) == from_datetime(moment.astimezone(UTC))


def test_a_time_of_nowhere_is_refused() -> None:
    with pytest.raises(TypeError):
        from_datetime(datetime(2026, 1, 1))  # noqa: DTZ001  (that is the point)


def test_later_by_seconds() -> None:
    assert after(Instant(5), 1.5) == 1_500_005
    assert after(Instant(5), 0.0000004) == 5


def test_the_wall_clock_is_in_microseconds() -> None:
    assert abs(to_datetime(wall()) - datetime.now(UTC)) < timedelta(minutes=1)
