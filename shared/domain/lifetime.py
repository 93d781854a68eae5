"""How long a session lives by itself: the policy, and where it stands by it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import isfinite, isnan

from shared.clock import Instant, after

_FOREVER = 1e9  # minutes: an instant stays one


@dataclass(frozen=True, slots=True, kw_only=True)
class Expiry:
    """When a session expires by itself: so long after it began, or after its last activity."""

    timeout_minutes: float
    auto_renew: bool = True
    max_duration_minutes: float | None = None
    warning_threshold_minutes: float | None = None

    def expires_at(self, begun_at: Instant, base: Instant, now: Instant) -> Instant:
        """Return when, counted from `base`; the longest duration is judged by what is left now."""
        timeout = self.timeout_minutes * 60
        if self.max_duration_minutes is None:
            return after(base, timeout)
        latest = after(begun_at, self.max_duration_minutes * 60)
        return latest if after(now, timeout) > latest else min(after(base, timeout), latest)

    def lasting(self, now: Instant) -> Instant:
        """Return when, for what is renewed all the time and has no longest duration."""
        return after(now, self.timeout_minutes * 60)

    def warns_at(self, expires_at: Instant) -> Instant | None:
        """Return from when on the end is near."""
        if self.warning_threshold_minutes is None:
            return None
        return after(expires_at, -self.warning_threshold_minutes * 60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetime:
    """Where a session stands by its policy.

    `warned_at` and `expired_at` are when somebody noticed that the end is near, or past;
    whether it is follows from `expires_at` alone.
    """

    expiry: Expiry
    begun_at: Instant
    expires_at: Instant
    renewal_count: int = 0
    warned_at: Instant | None = None
    expired_at: Instant | None = None

    @classmethod
    def begin(cls, expiry: Expiry, now: Instant) -> "Lifetime":
        """Start to live."""
        return cls(expiry=expiry, begun_at=now, expires_at=expiry.expires_at(now, now, now))

    def renewed(self, now: Instant) -> "Lifetime":
        """Put the end off, as far as the longest duration allows."""
        return replace(
            self,
            expires_at=self.expiry.expires_at(self.begun_at, now, now),
            renewal_count=self.renewal_count + 1,
            warned_at=None,
        )

    def under(self, expiry: Expiry, active_at: Instant, now: Instant) -> "Lifetime":
        """Live by another policy from now on; the end may be past by it."""
        base = active_at if expiry.auto_renew else self.begun_at
        ends = expiry.expires_at(self.begun_at, base, now)
        return replace(self, expiry=expiry, expires_at=ends, warned_at=None, expired_at=None)

    @property
    def warn_at(self) -> Instant | None:
        """When to warn; null where that is done, or nobody asked for it."""
        done = self.warned_at is not None or self.expired_at is not None
        return None if done else self.expiry.warns_at(self.expires_at)

    @property
    def capped(self) -> bool:
        """Whether no renewal can put the end off."""
        longest = self.expiry.max_duration_minutes
        return longest is not None and self.expires_at >= after(self.begun_at, longest * 60)

    def over(self, now: Instant) -> bool:
        """Tell whether it has expired."""
        return self.expires_at <= now

    def ends_soon(self, now: Instant) -> bool:
        """Tell whether the end is near, and not past."""
        warns_at = self.expiry.warns_at(self.expires_at)
        return warns_at is not None and warns_at <= now < self.expires_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A policy as a caller wishes it: null is not said, NaN is no number."""

    timeout_minutes: float | None = None
    auto_renew: bool | None = None
    max_duration_minutes: float | None = None
    warning_threshold_minutes: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What a policy may be, and what it is where nobody says; in minutes."""

    timeout: float = 30
    least_timeout: float = 5
    most_timeout: float = 1440
    longest: float = 720
    warning: float = 5

    def default(self, agent: Wish) -> Expiry:
        """Return the policy of an agent's sessions; its own settings win, within bounds."""
        return Expiry(
            timeout_minutes=_number(agent.timeout_minutes, self.timeout, self._timeout),
            auto_renew=True if agent.auto_renew is None else agent.auto_renew,
            max_duration_minutes=_number(agent.max_duration_minutes, self.longest, self._longest),
            warning_threshold_minutes=_number(
                agent.warning_threshold_minutes, self.warning, self._agents_warning
            ),
        )

    def admits(self, wish: Wish) -> bool:
        """Tell whether a wished timeout is within bounds; what is no finite number is, too."""
        timeout = wish.timeout_minutes
        if timeout is None or not isfinite(timeout):
            return True
        return self.least_timeout <= timeout <= self.most_timeout

    def clamped(self, wish: Wish, default: Expiry) -> Expiry:
        """Return the policy nearest to a wish; never refused."""
        timeout = default.timeout_minutes
        if wish.timeout_minutes is not None:
            timeout = _number(wish.timeout_minutes, self.timeout, self._timeout)
        longest = default.max_duration_minutes
        if wish.max_duration_minutes is not None:
            longest = self._wished_longest(wish.max_duration_minutes, timeout)
        warning = default.warning_threshold_minutes
        if wish.warning_threshold_minutes is not None:
            warning = self._wished_warning(wish.warning_threshold_minutes)
        return Expiry(
            timeout_minutes=timeout,
            auto_renew=default.auto_renew if wish.auto_renew is None else wish.auto_renew,
            max_duration_minutes=longest,
            warning_threshold_minutes=warning,
        )

    def _timeout(self, minutes: float) -> float:
        return min(self.most_timeout, max(self.least_timeout, minutes))

    def _longest(self, minutes: float) -> float:
        return min(2 * self.most_timeout, max(self.least_timeout, minutes))

    def _wished_longest(self, minutes: float, timeout: float) -> float:
        return self.longest if isnan(minutes) else max(timeout, min(2 * self.most_timeout, minutes))

    def _wished_warning(self, minutes: float) -> float:
        return self.warning if isnan(minutes) else min(_FOREVER, max(1.0, minutes))

    def _agents_warning(self, minutes: float) -> float:
        return min(self.most_timeout, max(1.0, minutes))


def _number(wished: float | None, default: float, clamp: Callable[[float], float]) -> float:
    """Clamp a wish; what is absent, or no finite number, is the default."""
    return default if wished is None or not isfinite(wished) else clamp(wished)
