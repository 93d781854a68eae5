"""Room: how much may be queued by one principal, and by all."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from shared.domain.errors import InturnError, Overloaded, QueueFull
from shared.domain.limits import QueueBounds
from shared.ids import PrincipalId


class Room:
    """What was queued when it was counted last, what came in since, and what is on its way.

    Exact within a process between two counts; what others let in meanwhile is unknown.
    """

    def __init__(self, bounds: QueueBounds) -> None:
        self._bounds = bounds
        self._counted = _Tally()
        self._since = _Tally()
        self._meanwhile = _Tally()  # while it is being counted
        self._coming = _Tally()

    def refusal(self, principal_id: PrincipalId, beside: int = 0) -> InturnError | None:
        """Say why there is no room for one more than is queued and `beside` it, if so."""
        parts = (self._counted, self._since, self._coming)
        if sum(part.of[principal_id] for part in parts) + beside >= self._bounds.per_principal:
            detail = f"You have {self._bounds.per_principal} queued runs; wait for some to end."
            return QueueFull(detail, retry_after=10)
        if sum(part.all for part in parts) + beside >= self._bounds.overall:
            return Overloaded("This server has too many queued runs; try later.", retry_after=30)
        return None

    @contextmanager
    def kept(self, principal_id: PrincipalId, count: int) -> Iterator[None]:
        """Keep room for what is on its way: what comes at once counts each other."""
        self._coming.add(principal_id, count)
        try:
            yield
        finally:
            self._coming.add(principal_id, -count)

    def note(self, principal_id: PrincipalId, count: int) -> None:
        """Count what has come in."""
        for tally in (self._since, self._meanwhile):
            tally.add(principal_id, count)

    @contextmanager
    def counting(self) -> Iterator[dict[PrincipalId, int]]:
        """Take a new count: fill it in. What comes in meanwhile is added, as it may be missed."""
        self._meanwhile = _Tally()
        found: dict[PrincipalId, int] = {}
        yield found
        self._counted, self._since = _Tally(found), self._meanwhile
        self._meanwhile = _Tally()


class _Tally:
    """So many of each principal, and of all."""

    def __init__(self, of: Mapping[PrincipalId, int] | None = None) -> None:
        self.of = Counter(of or {})
        self.all = self.of.total()

    def add(self, principal_id: PrincipalId, count: int) -> None:
        self.of[principal_id] += count
        self.all += count
        if not self.of[principal_id]:
            del self.of[principal_id]
