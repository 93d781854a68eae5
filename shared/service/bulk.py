"""Many runs at once: cancelled or tried again by what they have in common."""

from collections.abc import Iterator, Sequence

from shared.dispatch.relay import Relay
from shared.domain.errors import NotFound
from shared.domain.limits import QueueBounds
from shared.domain.operations import Selection, Tally
from shared.domain.principal import Principal
from shared.ids import AgentId
from shared.service.agents import Agents
from shared.signals import Signals
from shared.storage import bulk
from shared.storage.bulk import Changed, Chosen
from shared.storage.store import Store, Transaction

# So many share a transaction: it is kept short, for others wait for its lines.
_TOGETHER = 50


class Bulk:
    """What an operator does after an outage, or to end one."""

    def __init__(
        self, store: Store, signals: Signals, relay: Relay, agents: Agents, bounds: QueueBounds
    ) -> None:
        self._store = store
        self._signals = signals
        self._relay = relay
        self._agents = agents
        self._bounds = bounds

    async def cancel(
        self, principal: Principal, selection: Selection, *, reason: str | None
    ) -> Tally:
        """Cancel unfinished runs; those that a worker has are told. Raises NotFound("agent")."""
        agent_id = await self._agent(selection)
        async with self._store.reading() as reading:
            chosen = await bulk.cancellable(reading, selection, agent_id)
        count = 0
        for some in _together(chosen[: selection.limit]):

            async def cancel(transaction: Transaction, some: Sequence[Chosen] = some) -> Changed:
                return await bulk.cancel(
                    self._store, transaction, some, reason=reason, by=principal.user_id
                )

            count += self._tell(await self._store.write(cancel))
        return Tally(count=count, more=len(chosen) > selection.limit)

    async def retry(self, principal: Principal, selection: Selection) -> Tally:
        """Queue what did not succeed again, for whom it was. Raises NotFound("agent")."""
        agent_id = await self._agent(selection)
        most = self._bounds.per_session
        async with self._store.reading() as reading:
            chosen = await bulk.retryable(reading, selection, agent_id, most)
        count = 0
        for some in _together(chosen[: selection.limit]):

            async def retry(transaction: Transaction, some: Sequence[Chosen] = some) -> Changed:
                return await bulk.retry(self._store, transaction, principal, some, most)

            count += self._tell(await self._store.write(retry))
        return Tally(count=count, more=len(chosen) > selection.limit)

    async def _agent(self, selection: Selection) -> AgentId | None:
        if selection.agent is None:
            return None
        agent = await self._agents.find(selection.agent)
        if agent is None:
            raise NotFound("agent")
        return agent.id

    def _tell(self, changed: Changed) -> int:
        for run_id in changed.told:
            self._signals.cancel_requested(run_id)
        for session_id in changed.sessions:
            self._signals.moved(session_id)
        self._relay.poke(changed.pools)
        return changed.count


def _together(chosen: Sequence[Chosen]) -> Iterator[Sequence[Chosen]]:
    for start in range(0, len(chosen), _TOGETHER):
        yield chosen[start : start + _TOGETHER]
