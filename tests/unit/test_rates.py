"""GCRA: never more than the burst and what time brings, and who keeps the pace always passes."""

from uuid import UUID

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.clock import SECOND, Instant
from shared.domain.principal import Principal, Scope
from shared.domain.rates import (
    Meter,
    Rate,
    RequestRates,
    allowance,
    charge,
    parse_rate,
    passes_at,
    refund,
)
from shared.ids import KeyId, SessionId

RATES = st.builds(
    Rate,
    count=st.integers(1, 10_000),
    period_seconds=st.sampled_from([1, 60, 3600]),
    burst=st.integers(1, 50),
)
START = Instant(1_800_000_000 * SECOND)


def admitted(rate: Rate, moments: list[int]) -> list[int]:
    """Which of these instants pass, in order."""
    passed, arrival = [], Instant(0)
    for moment in moments:
        now = Instant(START + moment)
        if passes_at(rate, arrival, now) <= now:
            arrival = charge(rate, arrival, now)
            passed.append(moment)
    return passed


@given(rate=RATES, gaps=st.lists(st.floats(0, 3), max_size=150))
@settings(max_examples=80)
def test_no_window_lets_more_through_than_burst_and_rate(rate: Rate, gaps: list[float]) -> None:
    moment, moments = 0, []
    for gap in gaps:
        moment += int(gap * rate.interval)
        moments.append(moment)
    passed = admitted(rate, moments)
    for first, begin in enumerate(passed):
        for last, end in enumerate(passed[first:], start=first):
            # count / period, without a fraction being lost
            whole = (last - first + 1 - rate.burst) * rate.period_seconds * SECOND
            assert whole <= (end - begin) * rate.count


@given(rate=RATES, extra=st.lists(st.integers(0, 1000), min_size=1, max_size=100))
@settings(max_examples=80)
def test_who_keeps_the_pace_always_passes(rate: Rate, extra: list[int]) -> None:
    pace = -(-rate.period_seconds * SECOND // rate.count)
    moments = [pace * n + sum(extra[:n]) for n in range(len(extra))]
    assert admitted(rate, moments) == moments


@given(rate=RATES, gaps=st.lists(st.floats(0, 2), min_size=1, max_size=60))
@settings(max_examples=60)
def test_who_waits_as_long_as_told_passes_and_not_a_moment_before(
    rate: Rate, gaps: list[float]
) -> None:
    now, arrival = START, Instant(0)
    for gap in gaps:
        now = Instant(now + int(gap * rate.interval))
        at = passes_at(rate, arrival, now)
        if at > now:
            assert passes_at(rate, arrival, Instant(at - 1)) == at
            now = at
        assert passes_at(rate, arrival, now) <= now
        arrival = charge(rate, arrival, now)


@given(rate=RATES, taken=st.integers(0, 60), later=st.integers(0, 10_000_000))
@settings(max_examples=80)
def test_what_is_left_is_what_passes(rate: Rate, taken: int, later: int) -> None:
    arrival, now = Instant(0), START
    for _ in range(min(taken, rate.burst)):
        arrival = charge(rate, arrival, now)
    now = Instant(now + later)
    left = allowance(Meter(name="key", subject="k", rate=rate), arrival, now)
    assert passes_at(rate, arrival, now, behind=left.remaining - 1) <= now or not left.remaining
    more = passes_at(rate, arrival, now, behind=left.remaining)
    assert more > now
    if left.remaining < rate.burst:
        assert round(left.more_seconds * SECOND) == more - now
    else:
        assert left.more_seconds == 0


def test_what_is_given_back_can_be_taken_again() -> None:
    rate = Rate(count=1, period_seconds=3600, burst=2)
    arrival = charge(rate, charge(rate, Instant(0), START), START)
    assert passes_at(rate, arrival, START) == START + 3600 * SECOND
    assert passes_at(rate, refund(rate, arrival), START) == START


@pytest.mark.parametrize("new", ["100/s", "1/h;burst=3"])
def test_neither_a_clock_set_back_nor_a_new_rate_locks_anybody_out(new: str) -> None:
    arrival = charge(Rate(count=1, period_seconds=3600, burst=9), Instant(0), START)
    earlier = Instant(START - 86_400 * SECOND)
    rate = parse_rate(new)
    assert rate is not None
    assert passes_at(rate, arrival, earlier) <= earlier + rate.interval


@pytest.mark.parametrize(
    ("text", "count", "seconds", "burst"),
    [
        ("5/s", 5, 1, 5),
        ("100/m;burst=20", 100, 60, 20),
        ("1/h;burst=1000000", 1, 3600, 1_000_000),
        ("10000/s", 10_000, 1, 10_000),
        ("36000000/h", 36_000_000, 3600, 1_000_000),
    ],
)
def test_a_rate_is_read(text: str, count: int, seconds: int, burst: int) -> None:
    assert parse_rate(text) == Rate(count=count, period_seconds=seconds, burst=burst)


WRONG = [
    "", "5", "/s", "0/s", "-1/s", "1.5/s", "5/d", "5/S", "5 / s", " 5/s", "5/s\n", "OFF", "5/s;",
    "5/s;burst=", "5/s;burst=0", "5/s;burst=1000001", "5/s;burst=1;burst=2", "5/s,burst=1",
    "10001/s", "600001/m", "36000001/h", "9999999999/h", "9" * 5000 + "/s", "\u0665/s", "\u00b2/s",
    "5/s;burst=\u0665",
]  # fmt: skip


@pytest.mark.parametrize("text", WRONG, ids=lambda text: text[:20])
def test_what_is_no_rate_is_refused_saying_what_is_allowed(text: str) -> None:
    with pytest.raises(ValueError, match=r"100/m;burst=20.*10000 a second"):
        parse_rate(text)


@given(st.text())
@example("off")
@settings(max_examples=100)
def test_any_text_is_a_rate_or_refused(text: str) -> None:
    try:
        rate = parse_rate(text)
    except ValueError:
        return
    assert rate is None or min(rate.count, rate.burst, rate.interval) >= 1


def test_a_message_is_charged_to_its_key_its_session_and_its_user() -> None:
    one = Rate(count=1, period_seconds=1, burst=1)
    ann = Principal(tenant="t", user_id="ann", scope=Scope.USER)
    shop = Principal(tenant="t", user_id=None, scope=Scope.SERVICE)
    session_id, key_id = SessionId(UUID(int=1)), KeyId(UUID(int=2))
    rates = RequestRates(key=one, session=one, user=one)
    key = rates.of_key(key_id, None)
    names = [(m.name, m.subject) for m in rates.meters(ann, key, session_id)]
    assert names == [
        ("key", f"key:{key_id.hex}"),
        ("session", f"session:{session_id.hex}"),
        ("user", f"user:{ann.id.hex}"),
    ]
    assert rates.meters(shop, key, session_id)[-1].subject is None
    assert RequestRates().meters(ann, None, session_id) == ()


def test_a_key_s_own_rate_wins() -> None:
    rates = RequestRates(key=parse_rate("5/s"))
    key_id = KeyId(UUID(int=2))
    own = rates.of_key(key_id, "7/h")
    assert own is not None
    assert own.rate == parse_rate("7/h")
    assert rates.of_key(key_id, "off") is None
    assert RequestRates().of_key(key_id, None) is None
