"""Lifetimes: sessions that expire, are renewed, and end, whichever contract they began in."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias
from uuid import UUID

import structlog

from shared import ids
from shared.clock import Instant, after, monotonic
from shared.domain.errors import InturnError, NotFound, ValidationFailed
from shared.domain.jsontypes import JsonObject
from shared.domain.lifetime import Bounds, Expiry, Wish
from shared.domain.living import Census, Living, Visibility, Vitals
from shared.domain.principal import Principal
from shared.domain.session import Session
from shared.ids import SessionId
from shared.service.agents import Agents
from shared.signals import Signals
from shared.storage import census, ending, renewals
from shared.storage import sessions as rows
from shared.storage.group_commit import Lane
from shared.storage.store import Store, Transaction

_Move: TypeAlias = Callable[
    [Store, Transaction, Principal, SessionId, Visibility], Awaitable[tuple[Session, Instant]]
]

log = structlog.get_logger(__name__)

_AT_ONCE = 100
_FIRST = SessionId(UUID(int=0))
_CLEARED_BECAUSE = "server_shutdown"


class Lifetimes:
    """How long sessions live."""

    def __init__(
        self,
        store: Store,
        signals: Signals,
        agents: Agents,
        bounds: Bounds,
        visibility: Visibility,
        *,
        late_seconds: float,
    ) -> None:
        self._store = store
        self._signals = signals
        self._agents = agents
        self._bounds = bounds
        self._visibility = visibility
        self._late_seconds = late_seconds
        self._vitals: Lane[Principal | None, Vitals] = store.lane(
            "vitals", self._examine, reading=True
        )

    def default(self, agent_settings: JsonObject) -> Expiry:
        """Return the policy of an agent's sessions, for which nobody wished another."""
        return self._bounds.default(wished(agent_settings))

    def opening(self, agent_settings: JsonObject, wish: Wish) -> Expiry:
        """Return the policy of a new session: the nearest to the wish; never refused."""
        return self._bounds.clamped(wish, self.default(agent_settings))

    async def get(self, principal: Principal, session_id: SessionId) -> Living:
        """Read a session; nothing is renewed by it.

        Raises NotFound("session"), also where it has ended or expired long ago; SessionExpired.
        """
        async with self._store.reading() as reading:
            session = await rows.fetch(reading, principal, session_id)
            now = await self._store.now(reading)
        if session is None or session.ended_at is not None:
            raise NotFound("session")
        self._visibility.check(session.id, session.lifetime, now)
        return await self._living(session, now)

    async def renew(self, principal: Principal, session_id: SessionId) -> Living:
        """Put the end off. Raises like `get`, and RenewalRefused."""
        return await self._move(principal, session_id, renewals.renew)

    async def heartbeat(self, principal: Principal, session_id: SessionId) -> Living:
        """Note that somebody is there; this renews what messages would. Raises like `get`."""
        return await self._move(principal, session_id, renewals.heartbeat)

    async def reschedule(self, principal: Principal, session_id: SessionId, wish: Wish) -> Living:
        """Change the policy a session lives by, or give it one.

        Raises like `get`, and ValidationFailed for a timeout that is out of bounds.
        """
        usual = (await self.get(principal, session_id)).lifetime.expiry

        def policy(present: Expiry | None) -> Expiry:
            if not self._bounds.admits(wish):
                least, most = self._bounds.least_timeout, self._bounds.most_timeout
                message = f"must be from {least:g} to {most:g}"
                raise ValidationFailed.of(("body", "timeoutMinutes"), message)
            return self._bounds.clamped(wish, present or usual)

        async def move(
            store: Store,
            transaction: Transaction,
            principal: Principal,
            session_id: SessionId,
            visibility: Visibility,
        ) -> tuple[Session, Instant]:
            return await renewals.reschedule(
                store, transaction, principal, session_id, visibility, policy
            )

        return await self._move(principal, session_id, move)

    async def end(
        self, principal: Principal, session_id: SessionId, *, reason: str = "session ended"
    ) -> None:
        """End a session, expired or not: nothing is sent to it any more, and it can be read.

        Raises NotFound("session").
        """

        async def end(transaction: Transaction) -> ending.Ended:
            return await ending.end(
                self._store, transaction, principal, session_id, self._visibility, reason=reason
            )

        self._tell(await self._store.write(end))

    async def living(self, principal: Principal, *, limit: int = 1000) -> Census:
        """List the sessions that have not expired, the most active first."""
        async with self._store.reading() as reading:
            now = await self._store.now(reading)
            found = await census.newest(reading, principal, now, limit)
            total, stored = await census.counts(reading, principal, self._visibility, now)
        usual = await self._usual(found)
        return Census(
            sessions=tuple(_shown(each, usual, now) for each in found), total=total, stored=stored
        )

    async def health(self, principal: Principal | None) -> Vitals:
        """Say how the sessions of this caller, or everybody's, are.

        All are counted for it: who ask at the same moment share one answer.
        """
        return await self._vitals(principal)

    async def _examine(
        self, reading: Transaction, principals: Sequence[Principal | None]
    ) -> list[Vitals | InturnError]:
        now = await self._store.now(reading)
        late_before = after(now, -self._late_seconds)
        found = {
            each: await census.vitals(reading, each, now, late_before=late_before)
            for each in dict.fromkeys(principals)
        }
        return [found[each] for each in principals]

    async def clear(self, *, seconds: float = 10.0) -> int:
        """End the sessions that the contract began which forgets them; return how many.

        What takes longer than so many seconds is left as it is.
        """
        until, ended, last = monotonic() + seconds, 0, _FIRST
        while monotonic() < until:
            async with self._store.reading() as reading:
                found = await ending.clearable(reading, last, _AT_ONCE)
            if not found:
                break
            last = found[-1]
            ended += await self._clear(found)
        else:
            log.warning("sessions_left", seconds=seconds)
        log.info("sessions_cleared", sessions=ended)
        return ended

    async def _clear(self, found: list[SessionId]) -> int:
        async def end(transaction: Transaction) -> ending.Ended:
            return await ending.end_all(self._store, transaction, found, reason=_CLEARED_BECAUSE)

        ended = await self._store.write(end)
        self._tell(ended)
        return len(ended.sessions)

    async def _move(self, principal: Principal, session_id: SessionId, move: _Move) -> Living:
        async def write(transaction: Transaction) -> tuple[Session, Instant]:
            return await move(self._store, transaction, principal, session_id, self._visibility)

        session, now = await self._store.write(write)
        self._signals.moved(session_id)
        return await self._living(session, now)

    def _tell(self, ended: ending.Ended) -> None:
        for run_id in ended.told:
            self._signals.cancel_requested(run_id)
        for session_id in ended.sessions:
            self._signals.moved(session_id)

    async def _living(self, session: Session, now: Instant) -> Living:
        return _shown(session, await self._usual([session]), now)

    async def _usual(self, sessions: list[Session]) -> dict[UUID, Expiry]:
        """Return what sessions without a policy are shown with, by their agents."""
        usual: dict[UUID, Expiry] = {}
        for agent_id in {each.agent_id for each in sessions if each.lifetime is None}:
            agent = await self._agents.find(ids.spell("agent", agent_id))
            usual[agent_id] = self.default(agent.settings if agent else {})
        return usual


def wished(agent_settings: JsonObject) -> Wish:
    """Read what an agent's settings say of its sessions: numbers, or texts that are numbers."""
    renew = agent_settings.get("SESSION_AUTO_RENEW")
    return Wish(
        timeout_minutes=_number(agent_settings.get("SESSION_TIMEOUT_MINUTES")),
        auto_renew=None if renew is None else str(renew).lower() == "true",
        max_duration_minutes=_number(agent_settings.get("SESSION_MAX_DURATION_MINUTES")),
        warning_threshold_minutes=_number(agent_settings.get("SESSION_WARNING_THRESHOLD_MINUTES")),
    )


def _number(value: object) -> float | None:
    if value is None or isinstance(value, bool):
        return None
    try:
        return float(value) if isinstance(value, int | float | str) else None
    except (OverflowError, ValueError):
        return None


def _shown(session: Session, usual: dict[UUID, Expiry], now: Instant) -> Living:
    lifetime = session.lifetime
    if lifetime is None:
        lifetime = renewals.unbound(usual[session.agent_id], session, now)
    return Living(session=session, lifetime=lifetime, now=now)
