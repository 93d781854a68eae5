"""Reading a session's messages."""

from shared.domain.errors import NotFound
from shared.domain.message import Message
from shared.domain.paging import Listing, Page
from shared.domain.principal import Principal
from shared.domain.requests import MessageFilter
from shared.storage import messages, sessions
from shared.storage.store import Store


class Messages:
    """What was said."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def list(
        self, principal: Principal, filters: MessageFilter, page: Page
    ) -> Listing[Message]:
        """List messages. Raises NotFound("session") for one the caller does not see."""
        async with self._store.reading() as reading:
            if filters.session_id is not None and not await sessions.fetch(
                reading, principal, filters.session_id
            ):
                raise NotFound("session")
            return await messages.page(reading, principal, filters, page)
