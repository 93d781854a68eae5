"""Meters: who may ask how often, decided in the transaction that accepts."""

# ruff: noqa: ARG002, ARG003

from collections.abc import Sequence

from shared.clock import Instant
from shared.domain.rates import Allowance
from shared.storage.intake_rows import Intake
from shared.storage.store import Transaction


class Meters:
    """The locked meters of a batch, exact across processes."""

    @classmethod
    async def lock(cls, transaction: Transaction, intakes: Sequence[Intake]) -> "Meters":
        """Lock the meters that these intakes are charged to, in order."""
        return cls()

    def charge(self, intake: Intake, now: Instant) -> tuple[Allowance, ...]:
        """Charge all of the intake's meters, or none and raise RateLimited."""
        return ()

    async def save(self, transaction: Transaction) -> None:
        """Write what was charged."""
