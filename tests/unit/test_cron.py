"""When something is due, around the hours that a clock skips or shows twice."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.clock import Instant, from_datetime, iso
from shared.service.cron import Cron

# The days before clocks jump: by an hour, at midnight, by half an hour.
JUMPS = [
    ("Europe/Berlin", "2026-03-28"),
    ("Europe/Berlin", "2026-10-24"),
    ("America/New_York", "2026-11-01"),
    ("Africa/Cairo", "2026-04-23"),
    ("Africa/Cairo", "2026-10-29"),
    ("Australia/Lord_Howe", "2026-04-04"),
    ("Australia/Lord_Howe", "2026-10-03"),
]
MINUTE = timedelta(minutes=1)


def at(text: str) -> Instant:
    return from_datetime(datetime.fromisoformat(text).replace(tzinfo=UTC))


def times(expression: str, zone: str, start: str, count: int) -> list[str]:
    found = islice(Cron(expression, zone).after(at(start)), count)
    return [iso(each)[5:16].replace("T", " ") for each in found]


@pytest.mark.parametrize(
    ("expression", "zone", "start", "due"),
    [
        ("0 9 * * 1-5", "UTC", "2026-07-03 08:59", ["07-03 09:00", "07-06 09:00"]),
        ("0 9 * * *", "Europe/Berlin", "2026-03-28 07:00", ["03-28 08:00", "03-29 07:00"]),
        # skipped: due when the clock has jumped, and once, though another is due at that moment
        ("30 2 * * *", "Europe/Berlin", "2026-03-28 12:00", ["03-29 01:00", "03-30 00:30"]),
        ("0 2,3 * * *", "Europe/Berlin", "2026-03-28 12:00", ["03-29 01:00", "03-30 00:00"]),
        ("0 0 * * *", "Africa/Cairo", "2026-04-23 12:00", ["04-23 22:00", "04-24 21:00"]),
        # shown twice: due the first time, also for who asks in between
        ("30 2 * * *", "Europe/Berlin", "2026-10-24 12:00", ["10-25 00:30", "10-26 01:30"]),
        ("45 2 * * *", "Europe/Berlin", "2026-10-25 01:30", ["10-26 01:45"]),
        # with `*` time passes as it does: what is skipped is skipped, what comes twice is due twice
        ("*/30 2 * * *", "Europe/Berlin", "2026-03-28 12:00", ["03-30 00:00", "03-30 00:30"]),
        (
            "0 * * * *",
            "Europe/Berlin",
            "2026-10-24 23:30",
            ["10-25 00:00", "10-25 01:00", "10-25 02:00"],
        ),
        ("0 2/1 * * *", "Australia/Lord_Howe", "2026-04-04 14:00", ["04-04 15:30", "04-04 16:30"]),
        ("0 0 29 2 *", "UTC", "2026-01-01 00:00", ["02-29 00:00", "02-29 00:00"]),
        ("0 0 L * 5L", "UTC", "2026-01-01 00:00", ["01-30 00:00", "01-31 00:00"]),
    ],
)
def test_it_is_due_by_the_clock_on_the_wall(
    expression: str, zone: str, start: str, due: list[str]
) -> None:
    assert times(expression, zone, start, len(due)) == due


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("* * * *", "expected five fields"),
        ("0 0 * * * *", "expected five fields"),
        ("@daily", "expected five fields"),
        ("60 * * * *", "bad minute"),
        ("0 24 * * *", "bad hour"),
        ("0 0 31 2 *", "bad day-of-month"),
        ("0 0 * * 1L/2", "bad day-of-week"),
        ("0 0 * * \u0665", "bad day-of-week"),
    ],
)
def test_what_is_no_expression_is_said_in_words(expression: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Cron(expression, "UTC")


@pytest.mark.parametrize("zone", ["", "Mars/Olympus", "../UTC", "Europe", "localtime"])
def test_a_time_zone_has_a_name(zone: str) -> None:
    with pytest.raises(ValueError, match="no such time zone"):
        Cron("* * * * *", zone)


def test_what_never_comes_is_not_looked_for_for_ever() -> None:
    assert Cron("0 0 */31 * 1#5", "Europe/Berlin").next_after(at("2026-01-01 00:00")) is None


@settings(max_examples=60)
@given(st.text("0123456789*,-/#LW MONJAN", max_size=24))
def test_nonsense_is_refused_in_one_way(expression: str) -> None:
    with suppress(ValueError):
        Cron(expression, "UTC").next_after(at("2026-01-01 00:00"))


@pytest.mark.parametrize(("zone", "day"), JUMPS)
@settings(max_examples=4)
@given(
    hours=st.sets(st.integers(0, 23), min_size=1, max_size=4),
    minutes=st.sets(st.sampled_from([15, 30, 59])),
)
def test_with_a_star_it_is_due_whenever_the_clock_shows_it(
    zone: str, day: str, hours: set[int], minutes: set[int]
) -> None:
    listed = [",".join(map(str, sorted(each))) for each in (minutes, hours)]
    cron = Cron(f"*/60,{listed[0]} {listed[1]} * * *".replace(", ", " "), zone)
    start = datetime.fromisoformat(day).replace(tzinfo=UTC)
    seen = [
        from_datetime(moment)
        for moment in (start + passed * MINUTE for passed in range(3 * 24 * 60))
        if (shown := moment.astimezone(ZoneInfo(zone))).hour in hours
        and shown.minute in minutes | {0}
    ]
    assert list(islice(cron.after(Instant(from_datetime(start) - 1)), len(seen))) == seen


def test_the_newest_are_the_last_of_all() -> None:
    since, until = at("2020-01-01 00:00"), at("2026-07-03 12:00")
    for expression in ("* * * * *", "0 9 * * *", "0 0 1 * *", "0 0 1 1 *", "0 0 29 2 *"):
        cron = Cron(expression, "Europe/Berlin")
        for at_most in (1, 3):
            found = cron.newest(since, until, at_most)
            expected: list[Instant] = []
            moment = Instant(found[0] - 1)
            while (due := cron.next_after(moment)) is not None and due <= until:
                expected.append(due)
                moment = due
            assert list(found) == expected
            assert len(found) == min(at_most, 2 if "29 2" in expression else at_most)


def test_both_ends_of_a_period_count() -> None:
    cron = Cron("* * * * *", "UTC")
    first, last = at("2026-01-01 00:00"), at("2026-01-01 00:02")
    assert cron.newest(first, last, 9) == (first, at("2026-01-01 00:01"), last)
    assert cron.newest(Instant(last + 1), Instant(last + 2), 9) == ()
