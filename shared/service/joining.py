"""Where a message goes: into a session that is there, or one that begins with it."""

from dataclasses import dataclass

from shared.domain.errors import InturnError, NotFound
from shared.domain.principal import Principal
from shared.domain.requests import NewSession, Opening
from shared.ids import AgentId, SessionId, new_id
from shared.service.sessions import Sessions


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """A session; `opening` if it is new. A `refusal` is told to whoever was not answered before."""

    session_id: SessionId
    opening: Opening | None = None
    refusal: InturnError | None = None


async def destination(
    sessions: Sessions,
    principal: Principal,
    new: NewSession,
    agent_id: AgentId,
    session_id: SessionId | None,
) -> Destination:
    """Find the session if it is one of this agent's, else say how one is to be opened.

    A session that has an agent keeps it, though nobody else may find it. Nothing is written yet,
    and what is wrong is the destination's refusal.
    """
    try:
        if session_id is not None:
            if (await sessions.get(principal, session_id)).agent_id != agent_id:
                raise NotFound("session")
            return Destination(session_id=session_id)
        [opening] = await sessions.openings(principal, [new])
        if isinstance(opening, InturnError):
            raise opening
    except InturnError as refusal:
        return Destination(session_id=session_id or SessionId(new_id()), refusal=refusal)
    return Destination(session_id=opening.id, opening=opening)
