"""Idempotency keys: what was answered first, kept in the transaction that created it."""

# ruff: noqa: ARG002, ARG003

from collections.abc import Sequence

from shared.clock import Instant
from shared.domain.requests import Accepted, Replayed
from shared.storage.intake_rows import Intake
from shared.storage.store import Transaction


class Memory:
    """The keys of a batch, locked; duplicates inside the batch share one answer."""

    @classmethod
    async def enter(cls, transaction: Transaction, intakes: Sequence[Intake]) -> "Memory":
        """Insert the keys that are new, in order; wait for who inserts the same ones."""
        return cls()

    def recall(self, intake: Intake) -> Replayed | None:
        """Return the first answer to the same key. Raises IdempotencyKeyReused."""
        return None

    def keep(self, intake: Intake, taken: Accepted | Replayed) -> None:
        """Remember what is answered now; a refusal is not remembered."""

    async def write(self, transaction: Transaction, now: Instant) -> None:
        """Write the answers, and forget the keys of what was refused."""
