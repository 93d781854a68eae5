"""How often: rates, decided by GCRA (the generic cell rate algorithm, ITU-T I.371).

What is kept of each subject is one instant, the theoretical arrival of its next request if
all came evenly. Everything is whole microseconds: nothing is lost by rounding but a part of
one microsecond per request, always to the limit's side.
"""

import re
from dataclasses import dataclass
from uuid import UUID

from shared.clock import SECOND, Instant
from shared.domain.principal import Principal
from shared.ids import AgentId, KeyId, SessionId

RATE_ALLOWED = (
    "`off`, or a count per s, m or h and perhaps a burst, as 100/m or 100/m;burst=20: "
    "at most 10000 a second, and a burst of 1 to 1000000"
)
_RATE = re.compile(r"([0-9]{1,9})/([smh])(?:;burst=([0-9]{1,9}))?", re.ASCII)
_PERIODS = {"s": 1, "m": 60, "h": 3600}
_MOST_A_SECOND, _MOST_AT_ONCE = 10_000, 1_000_000
OFF = "off"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """So many requests a period, `burst` of them at once."""

    count: int
    period_seconds: int
    burst: int

    @property
    def interval(self) -> int:
        """Microseconds from one request to the next when they come evenly."""
        return -(-self.period_seconds * SECOND // self.count)


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """What is charged: a rate, and whose. `name` is what `RateLimit` headers call it.

    A null subject is the user of the session, whom only the database knows.
    """

    name: str
    subject: str | None
    rate: Rate


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What a meter has left after a request; `more_seconds` until it has one more."""

    meter: Meter
    remaining: int
    more_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRates:
    """The rates of posting messages; null is off. A key's own rate wins over `key`."""

    key: Rate | None = None
    session: Rate | None = None
    user: Rate | None = None

    def of_key(self, key_id: KeyId, own: str | None) -> Meter | None:
        """Make the meter of a key that carries `own`, or none of its own. Raises ValueError."""
        rate = self.key if own is None else parse_rate(own)
        return Meter(name="key", subject=f"key:{key_id.hex}", rate=rate) if rate else None

    def meters(
        self, principal: Principal, key: Meter | None, session_id: SessionId
    ) -> tuple[Meter, ...]:
        """List what a message to this session is charged to."""
        meters = [key] if key else []
        if self.session:
            subject = f"session:{session_id.hex}"
            meters.append(Meter(name="session", subject=subject, rate=self.session))
        if self.user:
            known = principal.user_id is not None
            subject_of_user = user_subject(principal.id) if known else None
            meters.append(Meter(name="user", subject=subject_of_user, rate=self.user))
        return tuple(meters)


NO_RATES = RequestRates()


def user_subject(principal_id: UUID) -> str:
    """Name the meter of a user, who is (tenant, user_id)."""
    return f"user:{principal_id.hex}"


def agent_meter(agent_id: AgentId, runs_per_minute: int) -> Meter:
    """Make the meter of an agent's starts: a minute's worth of them at once."""
    rate = Rate(count=runs_per_minute, period_seconds=60, burst=runs_per_minute)
    return Meter(name="agent", subject=f"agent:{agent_id.hex}", rate=rate)


def parse_rate(text: str) -> Rate | None:
    """Read `<n>/<s|m|h>[;burst=<n>]`, or null for `off`; the burst is n if it is not given.

    Raises ValueError, which says what is allowed.
    """
    if text == OFF:
        return None
    if not (found := _RATE.fullmatch(text)):
        raise ValueError(RATE_ALLOWED)
    count, period = int(found[1]), _PERIODS[found[2]]
    burst = min(count, _MOST_AT_ONCE) if found[3] is None else int(found[3])
    if not (1 <= count <= _MOST_A_SECOND * period and 1 <= burst <= _MOST_AT_ONCE):
        raise ValueError(RATE_ALLOWED)
    return Rate(count=count, period_seconds=period, burst=burst)


def passes_at(rate: Rate, arrival_at: Instant, now: Instant, behind: int = 0) -> Instant:
    """Tell when a request passes that `behind` others go before; not after `now` is at once."""
    return Instant(_arrival(rate, arrival_at, now) + (behind + 1 - rate.burst) * rate.interval)


def charge(rate: Rate, arrival_at: Instant, now: Instant) -> Instant:
    """Return the arrival to keep, once a request that passes at `now` has been let through."""
    return Instant(_arrival(rate, arrival_at, now) + rate.interval)


def refund(rate: Rate, arrival_at: Instant) -> Instant:
    """Return the arrival to keep, once a request that was charged turns out not to count."""
    return Instant(arrival_at - rate.interval)


def allowance(meter: Meter, arrival_at: Instant, now: Instant) -> Allowance:
    """Say what is left at `now`."""
    rate = meter.rate
    left = now + rate.burst * rate.interval - _arrival(rate, arrival_at, now)
    missing = rate.interval - left % rate.interval if left < rate.burst * rate.interval else 0
    return Allowance(meter=meter, remaining=left // rate.interval, more_seconds=missing / SECOND)


def _arrival(rate: Rate, arrival_at: Instant, now: Instant) -> int:
    """Never further ahead than a burst: a clock set back or a wider rate counts from here on."""
    return min(max(arrival_at, now), now + rate.burst * rate.interval)
