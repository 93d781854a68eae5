"""What the doctor finds."""

from dataclasses import dataclass
from uuid import UUID

from shared import ids
from shared.clock import SECOND, Instant

_NOUNS = {"runs": "run", "sessions": "sess", "messages": "msg"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A row that breaks an invariant of the architecture, by its number there."""

    invariant: int
    table: str
    id: UUID
    problem: str

    @property
    def spelled(self) -> str:
        """Its id as everybody prints it."""
        return ids.spell(_NOUNS.get(self.table, self.table), self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """A table: its rows, counted or guessed, and its bytes with indexes, where known."""

    table: str
    rows: int
    exact: bool
    bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """What is kept for some time, and since when the oldest of it is there."""

    name: str
    seconds: float
    oldest_at: Instant | None

    def overdue(self, now: Instant) -> bool:
        """Tell whether the oldest has outstayed by more than its own time and an hour."""
        if self.oldest_at is None:
            return False
        return now - self.oldest_at > (2 * self.seconds + 3600) * SECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What the doctor saw."""

    at: Instant
    findings: tuple[Finding, ...]
    sizes: tuple[Size, ...]
    keepings: tuple[Keeping, ...]
