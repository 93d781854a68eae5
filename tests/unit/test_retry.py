import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.retry import RetryPolicy, backoff

POLICY = RetryPolicy(base_seconds=1.0, max_seconds=60.0)


def most(_: float, ceiling: float) -> float:
    return ceiling


@pytest.mark.parametrize(
    ("attempt", "seconds"), [(1, 1.0), (2, 2.0), (3, 4.0), (6, 32.0), (7, 60.0), (10_000, 60.0)]
)
def test_the_ceiling_doubles_up_to_its_maximum(attempt: int, seconds: float) -> None:
    assert backoff(POLICY, attempt, most) == seconds


def test_jitter_is_full() -> None:
    assert backoff(POLICY, 5, lambda least, _: least) == 0.0


@given(
    st.integers(1, 10**6), st.floats(0, 1e6, allow_nan=False), st.floats(0, 1e6, allow_nan=False)
)
def test_it_stays_within_bounds(attempt: int, base: float, most_seconds: float) -> None:
    policy = RetryPolicy(base_seconds=base, max_seconds=most_seconds)
    assert 0 <= backoff(policy, attempt, random.uniform) <= most_seconds
