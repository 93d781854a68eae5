"""Openings: what a new session begins with, checked before anything is written."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from shared import ids
from shared.domain.agent import Agent
from shared.domain.errors import Forbidden, InturnError, NotFound, ValidationFailed
from shared.domain.jsontypes import JsonObject
from shared.domain.principal import Principal, Scope
from shared.domain.requests import NewSession, Opening
from shared.domain.session import Session
from shared.domain.state import SessionState
from shared.ids import SessionId, new_id
from shared.service.agents import Agents
from shared.storage import configurations, states
from shared.storage import sessions as rows
from shared.storage.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class _Before:
    """A session from which another goes on."""

    session: Session
    state: SessionState
    config: JsonObject | None


async def openings(
    store: Store, agents: Agents, principal: Principal, news: Sequence[NewSession]
) -> list[Opening | InturnError]:
    """Check what is to be opened, each for itself."""
    before = await _before(store, {new.continue_from for new in news if new.continue_from})
    named = {_agent_of(new, before) for new in news}
    found = {name: await agents.find(name) for name in named if name is not None}
    for each in before.values():
        if each.config is not None:
            found[_name_of(each)] = await agents.of_configuration(each.session.agent_id)
    checked: list[Opening | InturnError] = []
    for new in news:
        agent = found.get(_agent_of(new, before) or "")
        try:
            checked.append(_opening(principal, new, agent, before))
        except InturnError as refusal:
            checked.append(refusal)
    return checked


async def _before(store: Store, session_ids: set[SessionId]) -> dict[UUID, _Before]:
    if not session_ids:
        return {}
    async with store.reading() as reading:
        found = await rows.several(reading, session_ids)
        kept = await states.several(reading, session_ids)
        configs = await configurations.several(reading, session_ids)
    return {
        each: _Before(session=found[each], state=kept[each], config=configs.get(each))
        for each in session_ids
        if each in found and each in kept
    }


def _agent_of(new: NewSession, before: dict[UUID, _Before]) -> str | None:
    if new.agent is not None or new.continue_from is None:
        return new.agent
    known = before.get(new.continue_from)
    return _name_of(known) if known else None


def _name_of(before: _Before) -> str:
    return ids.spell("agent", before.session.agent_id)


def _opening(
    principal: Principal, new: NewSession, agent: Agent | None, before: dict[UUID, _Before]
) -> Opening:
    if new.continue_from is not None:
        return _going_on(principal, new, agent, before.get(new.continue_from))
    if agent is None:
        raise NotFound("agent")
    owned = owned_by(principal, new)
    return Opening(id=SessionId(new_id()), tenant=principal.tenant, agent=agent, new=owned)


def _going_on(
    principal: Principal, new: NewSession, agent: Agent | None, before: _Before | None
) -> Opening:
    """Take over whose session it is, who answers, and what was remembered."""
    if before is None or not principal.sees(before.session.tenant, before.session.user_id):
        raise NotFound("session")
    if agent is None:
        raise NotFound("agent")
    old = before.session
    if agent.id != old.agent_id:
        raise ValidationFailed.of(("body", "agent"), "is not that of the session that goes on")
    if new.user_id not in {None, old.user_id}:
        raise ValidationFailed.of(("body", "user_id"), "is not that of the session that goes on")
    return Opening(
        id=SessionId(new_id()),
        tenant=old.tenant,
        agent=agent,
        new=replace(new, user_id=old.user_id, config=before.config, config_hash=old.config_hash),
        state=before.state.as_json() if before.state.version else None,
    )


def owned_by(principal: Principal, new: NewSession) -> NewSession:
    """Make a new session the caller's own, or its user's. Raises Forbidden."""
    if principal.scope is not Scope.USER:
        return new
    if new.user_id not in {None, principal.user_id}:
        raise Forbidden("A user's key can only create sessions of its own user_id.")
    return replace(new, user_id=principal.user_id)
