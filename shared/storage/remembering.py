"""What sessions remember of the messages of a batch: their variables, written with them."""

from uuid import UUID

from shared.domain.requests import NewMessage
from shared.domain.state import SessionState
from shared.ids import SessionId
from shared.storage import states
from shared.storage.store import Transaction


class Remembering:
    """The states of locked sessions, as far as messages change them."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self._changed: dict[UUID, SessionState] = {}

    async def of(self, new: NewMessage) -> SessionState | None:
        """Return what the state becomes, if it changes. Raises ValidationFailed if too large."""
        if not new.remembered:
            return None
        before = self._changed.get(new.session_id)
        if before is None:
            found = await states.several(self._transaction, [new.session_id])
            before = found.get(new.session_id, SessionState())
        after = before.remembering(new.remembered)
        return None if after is before else after

    def note(self, new: NewMessage, state: SessionState | None) -> None:
        """Take the state of a message that is accepted."""
        if state is not None:
            self._changed[new.session_id] = state

    async def save(self) -> None:
        """Write what changed."""
        for session_id, state in self._changed.items():
            await states.save(self._transaction, SessionId(session_id), state)
