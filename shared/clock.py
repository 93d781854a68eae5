"""Time: instants come from the database, durations from this process's monotonic clock.

An `Instant` is whole microseconds since 1970 UTC, on both databases and in the domain:
comparing and adding them needs no time zone and loses nothing. The wire prints ISO 8601.
"""

import time
from datetime import UTC, datetime, timedelta
from typing import NewType

Instant = NewType("Instant", int)

SECOND, MILLISECOND = 1_000_000, 1000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def after(start: Instant, seconds: float) -> Instant:
    """Return the instant `seconds` after `start`."""
    return Instant(start + round(seconds * SECOND))


def wall() -> Instant:
    """Read this process's wall clock: only SQLite, whose one process it is, and logs use it."""
    return Instant(time.time_ns() // 1000)


def monotonic() -> float:
    """Read seconds on a clock that never jumps; meaningless outside this process."""
    return time.monotonic()


def to_datetime(instant: Instant) -> datetime:
    """Convert to an aware UTC datetime."""
    return _EPOCH + timedelta(microseconds=instant)


def from_datetime(moment: datetime) -> Instant:
    """Convert an aware datetime; a naive one raises TypeError."""
    return Instant((moment - _EPOCH) // timedelta(microseconds=1))


def iso(instant: Instant) -> str:
    """Print ISO 8601 UTC with milliseconds and `Z`."""
    whole, micro = divmod(instant, SECOND)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(whole))}.{micro // 1000:03d}Z"
