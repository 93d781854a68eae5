"""What the doctor finds."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A row that breaks an invariant of the architecture, by its number there."""

    invariant: int
    table: str
    id: UUID
    problem: str
