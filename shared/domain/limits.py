"""How much may be queued."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueBounds:
    """Queued runs, the live one not counted: exact a session, refreshed for the other two."""

    per_session: int = 100
    per_principal: int = 100_000
    overall: int = 1_000_000
