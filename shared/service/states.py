"""States: what agents and callers remember of a session."""

from collections.abc import Callable

from shared.domain.errors import NotFound, PreconditionFailed, SessionEnded
from shared.domain.jsontypes import JsonObject
from shared.domain.principal import Principal
from shared.domain.state import SessionState
from shared.ids import SessionId
from shared.storage import states as rows
from shared.storage.lines import lock_lines
from shared.storage.store import Store


class States:
    """Working memory, and each tool's persistent configuration."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def get(self, principal: Principal, session_id: SessionId) -> SessionState:
        """Read one. Raises NotFound("session")."""
        async with self._store.reading() as reading:
            return _found(await rows.fetch(reading, principal, session_id))

    async def change(
        self,
        principal: Principal,
        session_id: SessionId,
        patch: JsonObject,
        *,
        expected: Callable[[int], bool],
    ) -> SessionState:
        """Merge a patch into the state, if its version is an expected one.

        Raises NotFound("session"), SessionEnded, PreconditionFailed, ValidationFailed.
        """
        async with self._store.transaction() as transaction:
            lines = await lock_lines(transaction, [session_id])
            state = _found(await rows.fetch(transaction, principal, session_id))
            if lines[session_id].ended_at is not None:
                raise SessionEnded("This session has ended; create a new one.")
            if not expected(state.version):
                raise PreconditionFailed("The state has changed; read it again.")
            merged = state.merged(patch)
            if merged is not state:
                await rows.save(transaction, session_id, merged)
            return merged


def _found(state: SessionState | None) -> SessionState:
    if state is None:
        raise NotFound("session")
    return state
