"""Runs: read, wait for, cancel, retry, resume."""

from shared.clock import monotonic
from shared.dispatch.relay import Relay
from shared.domain.errors import NotFound
from shared.domain.idempotency import Idempotency
from shared.domain.limits import QueueBounds
from shared.domain.paging import Listing, Page
from shared.domain.principal import Principal
from shared.domain.requests import Decision, Replayed, RunFilter
from shared.domain.retrieval import RetrievedContext
from shared.domain.run import TERMINAL, Run, RunStatus
from shared.ids import RunId, SessionId, new_id
from shared.service.agents import Agents
from shared.service.once import fresh, once
from shared.signals import Signals
from shared.storage import changes, sessions
from shared.storage import runs as rows
from shared.storage.store import Store, Transaction


class Runs:
    """Requests to agents, and what became of them."""

    def __init__(
        self, store: Store, signals: Signals, relay: Relay, agents: Agents, bounds: QueueBounds
    ) -> None:
        self._store = store
        self._signals = signals
        self._relay = relay
        self._agents = agents
        self._bounds = bounds

    async def get(self, principal: Principal, run_id: RunId) -> Run:
        """Read one run. Raises NotFound("run")."""
        async with self._store.reading() as reading:
            return _found(await rows.fetch(self._store, reading, principal, run_id))

    async def list(self, principal: Principal, filters: RunFilter, page: Page) -> Listing[Run]:
        """List runs. Raises NotFound("session") for a session the caller does not see."""
        agent_id = None if filters.agent is None else await self._agents.id_of(filters.agent)
        async with self._store.reading() as reading:
            if filters.session_id is not None and not await sessions.fetch(
                reading, principal, filters.session_id
            ):
                raise NotFound("session")
            if filters.agent is not None and agent_id is None:
                return Listing(data=(), next_cursor=None)
            return await rows.page(self._store, reading, principal, filters, page, agent_id)

    async def wait(self, principal: Principal, run_id: RunId, *, seconds: float) -> Run:
        """Read the run once it is terminal or waiting, or when the time is up."""
        deadline = monotonic() + seconds
        session_id, *_ = await self._standing(principal, run_id)
        with self._signals.subscribe(session_id) as subscription:
            while True:
                _, version, status = await self._standing(principal, run_id)
                left = 0.0 if self._signals.released else deadline - monotonic()
                if status in TERMINAL or status is RunStatus.WAITING or left <= 0:
                    return await self.get(principal, run_id)
                subscription.saw(version)
                await subscription.wait(left)

    async def _standing(
        self, principal: Principal, run_id: RunId
    ) -> tuple[SessionId, int, RunStatus]:
        async with self._store.reading() as reading:
            found = await rows.standing(reading, principal, run_id)
        if found is None:
            raise NotFound("run")
        return found

    async def cancel(self, principal: Principal, run_id: RunId, *, reason: str | None) -> Run:
        """Ask for a run to stop; a terminal one is returned unchanged."""
        async with self._store.transaction() as transaction:
            running = await changes.cancel(
                self._store, transaction, principal, run_id, reason=reason
            )
        if running:
            self._signals.cancel_requested(run_id)
        return await self._moved(principal, run_id)

    async def retry(self, principal: Principal, run_id: RunId, *, correlation_id: str) -> Run:
        """Queue a new run for the same messages.

        Raises NotRetryable, SessionEnded, SessionQueueFull.
        """
        again = self.retry_once(principal, run_id, None, correlation_id=correlation_id)
        return fresh(await again)

    async def retry_once(
        self,
        principal: Principal,
        run_id: RunId,
        idempotency: Idempotency[Run] | None,
        *,
        correlation_id: str,
    ) -> Run | Replayed:
        """Retry, or return what the same key was answered first.

        Raises like `retry`, and IdempotencyKeyReused.
        """

        async def queue(transaction: Transaction) -> Run:
            again = RunId(new_id())
            await changes.retry(
                self._store,
                transaction,
                principal,
                run_id,
                again,
                correlation_id=correlation_id,
                max_queued=self._bounds.per_session,
            )
            return _found(await rows.fetch(self._store, transaction, principal, again))

        retried = await once(self._store, principal, idempotency, queue)
        if isinstance(retried, Run):
            self._tell(retried)
        return retried

    async def resume(
        self, principal: Principal, run_id: RunId, decisions: tuple[Decision, ...]
    ) -> Run:
        """Decide on pending tool calls. Raises NotWaiting, ValidationFailed."""
        async with self._store.transaction() as transaction:
            await changes.resume(self._store, transaction, principal, run_id, decisions)
        return await self._moved(principal, run_id)

    async def retrieved_context(self, principal: Principal, run_id: RunId) -> RetrievedContext:
        """Read what was fetched for a run, admitted to the prompt or not."""
        await self.get(principal, run_id)
        async with self._store.reading() as reading:
            chunks = await rows.retrieved_context(reading, run_id)
        included = sum(bool(chunk.get("included_in_context", True)) for chunk in chunks)
        return RetrievedContext(
            diagnostics={"total": len(chunks), "included": included}, chunks=chunks
        )

    async def _moved(self, principal: Principal, run_id: RunId) -> Run:
        run = await self.get(principal, run_id)
        self._tell(run)
        return run

    def _tell(self, run: Run) -> None:
        self._signals.moved(run.session_id)
        self._relay.poke([run.pool])


def _found(run: Run | None) -> Run:
    if run is None:
        raise NotFound("run")
    return run
