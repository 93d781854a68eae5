"""Polling: where sessions stand, read or waited for, one or a thousand at a time."""

from collections.abc import Collection, Sequence

from shared.clock import monotonic
from shared.domain.errors import InturnError, NotFound
from shared.domain.principal import Principal
from shared.domain.session import Standing
from shared.ids import SessionId
from shared.signals import Signals
from shared.storage import standings as rows
from shared.storage.group_commit import Lane
from shared.storage.store import Store, Transaction

Versions = dict[SessionId, int]


class Standings:
    """Pollers that ask at the same moment share one query."""

    def __init__(self, store: Store, signals: Signals) -> None:
        self._store = store
        self._signals = signals
        self._look: Lane[SessionId, Standing] = store.lane("look", _looks, reading=True)

    async def get(self, principal: Principal, session_id: SessionId) -> Standing:
        """Read where a session stands. Raises NotFound("session")."""
        return _seen_by(principal, await self._look(session_id))

    async def wait(
        self, principal: Principal, session_id: SessionId, *, version: int, seconds: float
    ) -> Standing:
        """Subscribe, then read, then wait until the version is another or the time is up."""
        deadline = monotonic() + seconds
        with self._signals.subscribe(session_id) as subscription:
            while True:
                standing = await self.get(principal, session_id)
                left = 0.0 if self._signals.released else deadline - monotonic()
                if standing.version != version or left <= 0:
                    return standing
                subscription.saw(version)
                await subscription.wait(left)

    async def query(
        self, principal: Principal, session_ids: Collection[SessionId]
    ) -> list[Standing]:
        """Read many at once, in the order asked; what is not for the caller is left out."""
        async with self._store.reading() as reading:
            found = await rows.standings(reading, session_ids)
        seen = (found[each] for each in session_ids if each in found)
        return [each for each in seen if principal.sees(each.tenant, each.user_id)]

    async def wait_for_any(
        self,
        principal: Principal,
        session_ids: Collection[SessionId],
        *,
        versions: Versions,
        seconds: float,
    ) -> list[Standing]:
        """Read them once any moves, appears or is gone, compared with `versions`."""
        deadline = monotonic() + seconds
        with self._signals.subscribe_all(session_ids) as group:
            while True:
                found = await self.query(principal, session_ids)
                left = 0.0 if self._signals.released else deadline - monotonic()
                if versions_of(found) != versions or left <= 0:
                    return found
                group.saw(versions)
                await group.wait(left)


def versions_of(standings: Collection[Standing]) -> Versions:
    """Return what a poller remembers of them."""
    return {each.id: each.version for each in standings}


async def _looks(reading: Transaction, asked: Sequence[SessionId]) -> list[Standing | InturnError]:
    found = await rows.standings(reading, set(asked))
    return [found.get(each) or NotFound("session") for each in asked]


def _seen_by(principal: Principal, standing: Standing) -> Standing:
    if not principal.sees(standing.tenant, standing.user_id):
        raise NotFound("session")
    return standing
