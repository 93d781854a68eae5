"""Sessions as a contract sees them in which every session lives for a while."""

from dataclasses import dataclass

from shared.clock import SECOND, Instant
from shared.domain.errors import NotFound, SessionExpired
from shared.domain.lifetime import Lifetime
from shared.domain.session import Session
from shared.ids import SessionId


@dataclass(frozen=True, slots=True, kw_only=True)
class Living:
    """A session, how long it lives, and the database's clock when it was read.

    One without a policy is shown with the usual one, as if it were renewed all the time.
    """

    session: Session
    lifetime: Lifetime
    now: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Census:
    """Sessions that have not expired, the most active first.

    `total` counts all of these, `stored` also those that have expired and can still be seen.
    """

    sessions: tuple[Living, ...]
    total: int
    stored: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Vitals:
    """How many sessions live, how many of these end soon and nobody has said so yet.

    `invalid` contradict themselves; `late` is a sweep that should have come.
    """

    active: int
    expiring_soon: int
    invalid: int
    late: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Visibility:
    """How long one can see that a session expired: it goes at the tick that comes then.

    Ticks are instants of the database's clock, the same in every process.
    """

    hours: float = 24
    tick_minutes: float = 5

    def horizon(self, now: Instant) -> Instant:
        """Return when the youngest of those expired that cannot be seen any more."""
        tick = max(1, round(self.tick_minutes * 60 * SECOND))
        return Instant(now - now % tick - round(self.hours * 3600 * SECOND))

    def check(self, session_id: SessionId, lifetime: Lifetime | None, now: Instant) -> None:
        """See that a session has not expired. Raises SessionExpired, later NotFound."""
        if lifetime is None or not lifetime.over(now):
            return
        self.check_seen(lifetime, now)
        raise SessionExpired(session_id, lifetime.expires_at)

    def check_seen(self, lifetime: Lifetime | None, now: Instant) -> None:
        """See that a session can be seen, expired or not. Raises NotFound."""
        if lifetime is not None and lifetime.expires_at <= self.horizon(now):
            raise NotFound("session")
