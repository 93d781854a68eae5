"""Configurations: sessions that bring their agent along.

The agent is made with the first session of a configuration and kept for all of them. It is in no
list and found by no name: only its sessions have it.
"""

from collections.abc import Iterable
from dataclasses import replace

from shared.domain.agent import Agent
from shared.domain.configuration import Configuration, Configured, hash_of, shown_of, whole_of
from shared.domain.errors import Forbidden, InturnError, NotFound, ValidationFailed
from shared.domain.idempotency import Idempotency
from shared.domain.principal import Principal, Scope
from shared.domain.requests import NewMessage, NewSession, Opening, Replayed
from shared.domain.retry import RetryPolicy
from shared.domain.session import Session
from shared.domain.variables import merge, read_variables
from shared.ids import SessionId, new_id
from shared.service.once import once
from shared.service.openings import owned_by
from shared.storage import agents, configurations, sessions
from shared.storage.openings import open_sessions
from shared.storage.store import Store, Transaction


class Configurations:
    """What sessions were made with."""

    def __init__(self, store: Store, defaults: RetryPolicy) -> None:
        self._store = store
        self._defaults = defaults

    async def open_once(
        self,
        principal: Principal,
        configuration: Configuration,
        new: NewSession,
        idempotency: Idempotency[Session] | None,
    ) -> Session | Replayed:
        """Open a session with its own agent, or return what the same key was answered first.

        Raises Forbidden for a `user`, who says nothing of what agents are; IdempotencyKeyReused.
        """
        if principal.scope is Scope.USER:
            raise Forbidden("A key of scope user opens sessions with agents that are there.")

        async def create(transaction: Transaction) -> Session:
            now = await self._store.now(transaction)
            agent = await agents.keep(
                transaction, configuration.agent_id, configuration.spec, self._defaults, now
            )
            opening = _opening(principal, configuration, agent, new)
            await open_sessions(transaction, [opening], now)
            return _found(await sessions.fetch(transaction, principal, opening.id))

        return await once(self._store, principal, idempotency, create)

    async def get(self, principal: Principal, session_id: SessionId) -> Configured:
        """Read a session with what answers in it. Raises NotFound("session")."""
        async with self._store.reading() as reading:
            session = _found(await sessions.fetch(reading, principal, session_id))
            config = (await configurations.several(reading, [session_id])).get(session_id)
            agent = (await agents.by_ids(reading, {session.agent_id}))[session.agent_id]
            now = await self._store.now(reading)
        return Configured(
            session=session,
            config=shown_of(agent) if config is None else config,
            hash=session.config_hash or hash_of(whole_of(agent)),
            now=now,
        )

    async def several(self, found: Iterable[Session]) -> list[Configured]:
        """Say of sessions that were read what answers in them, in short.

        A session that brought its agent along has its hash, and what it brought may be large.
        """
        listed = list(found)
        wanted = {each.agent_id for each in listed if each.config_hash is None}
        async with self._store.reading() as reading:
            known = await agents.by_ids(reading, wanted) if wanted else {}
            now = await self._store.now(reading)
        hashes = {each.id: hash_of(whole_of(each)) for each in known.values()}
        return [
            Configured(
                session=each,
                config={"name": each.agent},
                hash=each.config_hash or hashes[each.agent_id],
                now=now,
            )
            for each in listed
        ]

    async def given(
        self, principal: Principal, new: NewMessage
    ) -> tuple[NewMessage, InturnError | None]:
        """Add to a message's inputs what its session keeps, and say if they are not complete.

        Nothing is raised: whoever was answered before is answered alike.
        """
        async with self._store.reading() as reading:
            kept = await configurations.fetch(reading, principal, new.session_id)
        if kept is None:
            return new, NotFound("session")
        declared = read_variables(kept.config.get("variables")) if kept.config else ()
        try:
            given = merge(declared, kept.state.variables, new.inputs)
        except ValidationFailed as refusal:
            return new, refusal
        return replace(new, inputs=given.inputs, remembered=given.remembered), None


def _opening(
    principal: Principal, configuration: Configuration, agent: Agent, new: NewSession
) -> Opening:
    made = replace(new, config=configuration.config, config_hash=configuration.hash)
    return Opening(
        id=SessionId(new_id()),
        tenant=principal.tenant,
        agent=agent,
        new=owned_by(principal, made),
    )


def _found(session: Session | None) -> Session:
    if session is None:
        raise NotFound("session")
    return session
