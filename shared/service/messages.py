"""Reading a session's messages."""

from shared.clock import Instant
from shared.domain.errors import NotFound
from shared.domain.history import Slice, Window
from shared.domain.message import Message
from shared.domain.paging import Listing, Page
from shared.domain.principal import Principal
from shared.domain.requests import MessageFilter
from shared.ids import SessionId
from shared.storage import messages, sessions, windows
from shared.storage.store import Store, Transaction


class Messages:
    """What was said."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def list(
        self, principal: Principal, filters: MessageFilter, page: Page
    ) -> Listing[Message]:
        """List messages. Raises NotFound("session") for one the caller does not see."""
        async with self._store.reading() as reading:
            if filters.session_id is not None:
                await _seen(reading, principal, filters.session_id)
            return await messages.page(reading, principal, filters, page)

    async def window(
        self,
        principal: Principal,
        session_id: SessionId,
        *,
        before: Instant | None = None,
        after: Instant | None = None,
        limit: int,
    ) -> Window:
        """Read what users and agents said, newest first; both bounds are exclusive.

        They count in whole milliseconds, of which none is divided: a page may be a little longer
        than `limit`. `after` alone reads the oldest of what is newer. Raises NotFound("session").
        """
        async with self._store.reading() as reading:
            await _seen(reading, principal, session_id)
            return await windows.window(
                reading, session_id, before=before, after=after, limit=limit
            )

    async def slice(
        self,
        principal: Principal,
        session_id: SessionId,
        *,
        limit: int,
        offset: int,
        correlation_id: str | None = None,
    ) -> Slice:
        """Read what users and agents said, in order, and how much it is in all.

        Raises NotFound("session").
        """
        async with self._store.reading() as reading:
            await _seen(reading, principal, session_id)
            return await windows.slice_(
                reading, session_id, limit=limit, offset=offset, correlation_id=correlation_id
            )


async def _seen(reading: Transaction, principal: Principal, session_id: SessionId) -> None:
    if not await sessions.fetch(reading, principal, session_id):
        raise NotFound("session")
