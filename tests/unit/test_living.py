"""How long one can see that a session expired."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.clock import SECOND, Instant
from shared.domain.errors import NotFound, SessionExpired
from shared.domain.lifetime import Bounds, Lifetime, Wish
from shared.domain.living import Visibility
from shared.ids import SessionId, new_id

MINUTE = 60 * SECOND
BEGUN = Instant(1_800_000_000 * SECOND)


def at(minute: float) -> Instant:
    return Instant(BEGUN + round(minute * MINUTE))


EXPIRED = Lifetime.begin(Bounds().default(Wish()), BEGUN)  # at minute 30


@given(
    hours=st.floats(min_value=0, max_value=48),
    tick=st.floats(min_value=0.01, max_value=60),
    minute=st.floats(min_value=30, max_value=4000),
)
def test_that_it_expired_is_seen_for_so_long_and_until_the_next_tick(
    hours: float, tick: float, minute: float
) -> None:
    seen = Visibility(hours=hours, tick_minutes=tick)
    age = minute - 30
    with pytest.raises((SessionExpired, NotFound)) as refused:
        seen.check(SessionId(new_id()), EXPIRED, at(minute))
    if age < hours * 60 - 1:
        assert refused.type is SessionExpired
    if age > hours * 60 + tick + 1:
        assert refused.type is NotFound


def test_it_is_gone_at_the_same_instant_for_everybody() -> None:
    seen = Visibility(hours=1, tick_minutes=7)
    gone = [minute for minute in range(30, 120) if is_gone(seen, at(minute))]
    assert gone == list(range(gone[0], 120))
    assert 90 <= gone[0] <= 97
    assert at(gone[0]) - at(gone[0]) % (7 * MINUTE) > at(gone[0] - 1)


def is_gone(seen: Visibility, now: Instant) -> bool:
    try:
        seen.check_seen(EXPIRED, now)
    except NotFound:
        return True
    return False


def test_what_has_no_end_is_seen_for_ever() -> None:
    Visibility(hours=0).check(SessionId(new_id()), None, at(1e6))
    Visibility(hours=0).check(SessionId(new_id()), EXPIRED, at(29.99))
