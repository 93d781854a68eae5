"""Turns: a session's runs with all that belongs to them, for contracts that speak of both."""

from collections.abc import AsyncGenerator, Sequence

from shared.domain.errors import NotFound
from shared.domain.message import Message
from shared.domain.principal import Principal
from shared.domain.run import Run
from shared.domain.turn import Turn
from shared.ids import SessionId
from shared.storage import runs as rows
from shared.storage import sessions, turns
from shared.storage.store import Store

MOST_SAID_BEFORE = 200  # messages: more no contract takes
PAGE = 20  # turns: each may hold two messages of the greatest size, and what was retrieved


class Turns:
    """Exchanges: what was asked, what was answered, and how."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def of_runs(self, principal: Principal, runs: Sequence[Run]) -> list[Turn]:
        """Complete runs that were read, in their order; without those the caller does not see."""
        async with self._store.reading() as reading:
            return await turns.complete(reading, principal, runs)

    async def of_session(
        self, principal: Principal, session_id: SessionId, *, limit: int, offset: int = 0
    ) -> list[Turn]:
        """Read turns in the order of the line, whatever became of them. Raises NotFound.

        What is skipped costs an entry of an index each.
        """
        async with self._store.reading() as reading:
            if not await sessions.fetch(reading, principal, session_id):
                raise NotFound("session")
            found = await rows.in_line(self._store, reading, session_id, limit=limit, offset=offset)
            return await turns.complete(reading, principal, found)

    async def said_before(
        self, principal: Principal, session_id: SessionId, *, most: int = MOST_SAID_BEFORE
    ) -> tuple[Message, ...]:
        """Read the pairs with which the session began. Raises NotFound."""
        async with self._store.reading() as reading:
            if not await sessions.fetch(reading, principal, session_id):
                raise NotFound("session")
            return await turns.said_before(reading, session_id, most)

    async def succeeded(
        self, principal: Principal, session_id: SessionId, *, most: int | None = None
    ) -> AsyncGenerator[tuple[Turn, ...], None]:
        """Go through the turns that were answered, oldest first, a page at a time.

        No connection is held between two pages; what was deleted meanwhile is the end.
        """
        after, left = 0, most
        while left is None or left > 0:
            wanted = PAGE if left is None else min(PAGE, left)
            async with self._store.reading() as reading:
                found = await rows.succeeded(
                    self._store, reading, session_id, after=after, limit=wanted
                )
                page = await turns.complete(reading, principal, found)
            if page:
                yield tuple(page)
            if len(found) < wanted:
                return
            after = found[-1].seq or after
            left = None if left is None else left - wanted
