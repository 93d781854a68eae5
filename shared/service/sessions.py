"""Sessions: create, read, delete."""

from collections.abc import Sequence

from shared.domain.errors import InturnError, NotFound
from shared.domain.history import Recent, RecentFilter
from shared.domain.idempotency import Idempotency
from shared.domain.paging import Listing, Page
from shared.domain.principal import Principal
from shared.domain.requests import NewSession, Opening, Replayed, SessionFilter
from shared.domain.session import Session
from shared.ids import SessionId
from shared.service.agents import Agents
from shared.service.once import fresh, once
from shared.service.openings import openings
from shared.signals import Signals
from shared.storage import changes, recent
from shared.storage import sessions as rows
from shared.storage.openings import open_sessions
from shared.storage.store import Store, Transaction


class Sessions:
    """Conversations and their owners."""

    def __init__(self, store: Store, signals: Signals, agents: Agents) -> None:
        self._store = store
        self._signals = signals
        self._agents = agents

    async def create(self, principal: Principal, new: NewSession) -> Session:
        """Start a session with an agent, for the caller or the user it names.

        Raises NotFound for the agent or the session it goes on from, ValidationFailed where
        these do not fit, and Forbidden where a `user` names somebody else.
        """
        return fresh(await self.create_once(principal, new, None))

    async def create_once(
        self, principal: Principal, new: NewSession, idempotency: Idempotency[Session] | None
    ) -> Session | Replayed:
        """Create, or return what the same key was answered first.

        Raises like `create`, and IdempotencyKeyReused.
        """
        [opening] = await self.openings(principal, [new])

        async def create(transaction: Transaction) -> Session:
            if isinstance(opening, InturnError):
                raise opening  # only now: whoever was answered before is answered alike
            await open_sessions(transaction, [opening], await self._store.now(transaction))
            return _found(await rows.fetch(transaction, principal, opening.id))

        return await once(self._store, principal, idempotency, create)

    async def openings(
        self, principal: Principal, news: Sequence[NewSession]
    ) -> Sequence[Opening | InturnError]:
        """Check what is to be opened, each for itself; nothing is written yet."""
        return await openings(self._store, self._agents, principal, news)

    async def get(self, principal: Principal, session_id: SessionId) -> Session:
        """Read one session. Raises NotFound("session")."""
        async with self._store.reading() as reading:
            return _found(await rows.fetch(reading, principal, session_id))

    async def list(
        self, principal: Principal, filters: SessionFilter, page: Page
    ) -> Listing[Session]:
        """List what the caller sees; an agent nobody knows has no sessions."""
        agent_id = None if filters.agent is None else await self._agents.id_of(filters.agent)
        if filters.agent is not None and agent_id is None:
            return Listing(data=(), next_cursor=None)
        async with self._store.reading() as reading:
            return await rows.page(reading, principal, filters, page, agent_id)

    async def recent(
        self, principal: Principal, filters: RecentFilter, *, limit: int, offset: int
    ) -> Recent:
        """List what the caller sees by its newest activity, with its runs and first message."""
        async with self._store.reading() as reading:
            return await recent.page(reading, principal, filters, limit=limit, offset=offset)

    async def delete(self, principal: Principal, session_id: SessionId) -> None:
        """Make a session invisible everywhere; its rows go in the background."""
        async with self._store.transaction() as transaction:
            live = await changes.delete_session(self._store, transaction, principal, session_id)
        for run_id in live:
            self._signals.cancel_requested(run_id)
        self._signals.moved(session_id)


def _found(session: Session | None) -> Session:
    if session is None:
        raise NotFound("session")
    return session
