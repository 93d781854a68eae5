"""The policy by which sessions live: what is clamped, what is refused, and when the end is."""

from dataclasses import replace
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.clock import SECOND, Instant, after
from shared.domain.jsontypes import JsonObject
from shared.domain.lifetime import Bounds, Expiry, Lifetime, Wish
from shared.service.lifetimes import wished

MINUTE = 60 * SECOND
BEGUN = Instant(1_800_000_000 * SECOND)
BOUNDS = Bounds()
USUAL = BOUNDS.default(Wish())

anything = st.floats(allow_nan=True, allow_infinity=True)
minutes = st.floats(min_value=0.1, max_value=3000)
wishes = st.builds(
    Wish,
    timeout_minutes=st.none() | anything,
    auto_renew=st.none() | st.booleans(),
    max_duration_minutes=st.none() | anything,
    warning_threshold_minutes=st.none() | anything,
)
policies = st.builds(
    Expiry,
    timeout_minutes=minutes,
    auto_renew=st.booleans(),
    max_duration_minutes=st.none() | minutes,
    warning_threshold_minutes=st.none() | minutes,
)


def at(minute: float) -> Instant:
    return Instant(BEGUN + round(minute * MINUTE))


def test_what_nobody_says_is_as_the_contract_has_it() -> None:
    assert BOUNDS.default(Wish()) == Expiry(
        timeout_minutes=30,
        auto_renew=True,
        max_duration_minutes=720,
        warning_threshold_minutes=5,
    )


@pytest.mark.parametrize(
    ("wished_for", "given_"),
    [
        *((1, 5), (0, 5), (-7, 5), (5, 5), (7.5, 7.5), (1440, 1440), (1441, 1440)),
        *((nan, 30), (inf, 30), (-inf, 30)),
    ],
)
def test_a_timeout_is_clamped(wished_for: float, given_: float) -> None:
    assert BOUNDS.clamped(Wish(timeout_minutes=wished_for), USUAL).timeout_minutes == given_


@pytest.mark.parametrize(
    ("timeout", "wished_for", "given_"),
    [
        (None, 1, 30),
        (None, 100, 100),
        (None, 2880, 2880),
        (None, 2881, 2880),
        (None, inf, 2880),
        (None, -inf, 30),
        (None, nan, 720),
        (1440, 100, 1440),
        (1440, None, 720),  # only what is said is adjusted
        (1440, nan, 720),
    ],
)
def test_a_longest_duration_is_clamped(
    timeout: float | None, wished_for: float | None, given_: float
) -> None:
    wish = Wish(timeout_minutes=timeout, max_duration_minutes=wished_for)
    assert BOUNDS.clamped(wish, USUAL).max_duration_minutes == given_


@pytest.mark.parametrize(("wished_for", "given_"), [(0, 1), (-1, 1), (1.5, 1.5), (9e5, 9e5)])
def test_a_threshold_is_at_least_a_minute(wished_for: float, given_: float) -> None:
    wish = Wish(warning_threshold_minutes=wished_for)
    assert BOUNDS.clamped(wish, USUAL).warning_threshold_minutes == given_


def test_a_threshold_that_is_no_number_is_the_usual_one() -> None:
    present = replace(USUAL, warning_threshold_minutes=9.0)
    wish = Wish(warning_threshold_minutes=nan)
    assert BOUNDS.clamped(wish, present).warning_threshold_minutes == 5


@given(present=policies)
def test_what_is_not_said_stays(present: Expiry) -> None:
    assert BOUNDS.clamped(Wish(), present) == present
    assert BOUNDS.clamped(Wish(auto_renew=False), present) == replace(present, auto_renew=False)


@given(wish=wishes)
def test_a_policy_is_always_one_that_can_be_lived_by(wish: Wish) -> None:
    policy = BOUNDS.clamped(wish, USUAL)
    assert 5 <= policy.timeout_minutes <= 1440
    assert policy.max_duration_minutes is not None
    assert 5 <= policy.max_duration_minutes <= 2880
    assert policy.warning_threshold_minutes is not None
    assert 1 <= policy.warning_threshold_minutes < inf
    lifetime = Lifetime.begin(policy, BEGUN)
    assert BEGUN < lifetime.expires_at <= at(2880)
    assert lifetime.warn_at is not None


@pytest.mark.parametrize(
    ("timeout", "admitted"),
    [(4.999, False), (5, True), (1440, True), (1440.1, False), (nan, True), (inf, True)],
)
def test_a_change_is_refused_where_a_beginning_is_clamped(timeout: float, admitted: bool) -> None:
    assert BOUNDS.admits(Wish(timeout_minutes=timeout)) is admitted
    assert BOUNDS.admits(Wish(max_duration_minutes=timeout))


def test_an_agents_own_settings_win_within_bounds() -> None:
    settings: JsonObject = {
        "SESSION_TIMEOUT_MINUTES": "45",
        "SESSION_MAX_DURATION_MINUTES": 9999,
        "SESSION_WARNING_THRESHOLD_MINUTES": 0,
        "SESSION_AUTO_RENEW": "false",
    }
    assert BOUNDS.default(wished(settings)) == Expiry(
        timeout_minutes=45,
        auto_renew=False,
        max_duration_minutes=2880,
        warning_threshold_minutes=1,
    )
    assert BOUNDS.default(wished({"SESSION_TIMEOUT_MINUTES": 2})).timeout_minutes == 5
    assert BOUNDS.default(wished({"SESSION_AUTO_RENEW": True})).auto_renew


@pytest.mark.parametrize("value", ["soon", "", None, True, [], {}, "nan", "1e999", 10**400])
def test_an_agents_setting_that_is_no_number_is_none(value: object) -> None:
    names = ("TIMEOUT_MINUTES", "MAX_DURATION_MINUTES", "WARNING_THRESHOLD_MINUTES")
    settings = {f"SESSION_{name}": value for name in names}
    assert BOUNDS.default(wished(settings)) == USUAL  # type: ignore[arg-type]


@given(policy=policies, active=minutes, waited=minutes)
def test_the_end_is_where_the_contract_puts_it(
    policy: Expiry, active: float, waited: float
) -> None:
    active_at, now = at(active), at(active + waited)
    base = active_at if policy.auto_renew else BEGUN
    expected = after(base, policy.timeout_minutes * 60)
    longest = policy.max_duration_minutes
    if longest is not None and after(now, policy.timeout_minutes * 60) > at(longest):
        expected = at(longest)
    begun = Lifetime.begin(policy, BEGUN)
    assert abs(begun.under(policy, active_at, now).expires_at - expected) <= 1


@given(policy=policies, moments=st.lists(minutes, min_size=1, max_size=5))
def test_a_renewal_puts_the_end_off_and_never_past_the_last_one(
    policy: Expiry, moments: list[float]
) -> None:
    lifetime = Lifetime.begin(policy, BEGUN)
    for count, moment in enumerate(sorted(moments), start=1):
        now = at(moment)
        if lifetime.over(now):
            return
        renewed = lifetime.renewed(now)
        assert renewed.expires_at >= lifetime.expires_at
        assert (renewed.renewal_count, renewed.warned_at) == (count, None)
        if policy.max_duration_minutes is None:
            assert renewed.expires_at == after(now, policy.timeout_minutes * 60)
        else:
            assert renewed.expires_at <= at(policy.max_duration_minutes)
        assert renewed.capped <= (renewed.renewed(now).expires_at == renewed.expires_at)
        lifetime = renewed


def test_one_that_messages_do_not_renew_can_be_renewed() -> None:
    steady = Lifetime.begin(replace(USUAL, auto_renew=False), BEGUN)
    assert steady.renewed(at(20)).expires_at == at(50)
    assert not steady.renewed(at(20)).expiry.auto_renew


def test_at_the_last_end_a_renewal_counts_and_moves_nothing() -> None:
    lifetime = Lifetime.begin(replace(USUAL, max_duration_minutes=40), BEGUN).renewed(at(20))
    assert (lifetime.capped, lifetime.expires_at) == (True, at(40))
    again = lifetime.renewed(at(39))
    assert (again.expires_at, again.renewal_count) == (at(40), 2)


def test_another_policy_may_put_the_end_into_the_past() -> None:
    lifetime = Lifetime.begin(USUAL, BEGUN).renewed(at(20))
    shorter = lifetime.under(replace(USUAL, timeout_minutes=5, auto_renew=False), at(20), at(21))
    assert (shorter.expires_at, shorter.renewal_count) == (at(5), 1)
    assert shorter.over(at(21))


def test_the_end_is_near_from_its_threshold_until_it_comes() -> None:
    lifetime = Lifetime.begin(USUAL, BEGUN)
    assert lifetime.warn_at == at(25)
    near = [lifetime.ends_soon(at(minute)) for minute in (24.9, 25, 29.9, 30)]
    assert near == [False, True, True, False]
    assert [lifetime.over(at(minute)) for minute in (29.9, 30)] == [False, True]


@given(policy=policies, said_at=minutes)
def test_who_was_warned_or_is_over_is_not_warned(policy: Expiry, said_at: float) -> None:
    lifetime = Lifetime.begin(policy, BEGUN)
    assert replace(lifetime, warned_at=at(said_at)).warn_at is None
    assert replace(lifetime, expired_at=at(said_at)).warn_at is None
    again = replace(lifetime, warned_at=at(said_at)).renewed(at(said_at)).warn_at
    assert (again is None) is (policy.warning_threshold_minutes is None)
