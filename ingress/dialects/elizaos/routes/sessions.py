"""Sessions: create, list, read, delete."""

from fastapi import APIRouter
from starlette.responses import Response

from ingress.call import Call
from ingress.dialects.elizaos.describe import problems
from ingress.dialects.elizaos.route import CreatingRoute, ElizaRoute
from ingress.dialects.elizaos.wire.paths import SessionPath
from ingress.dialects.elizaos.wire.refusal import agent_not_found
from ingress.dialects.elizaos.wire.session_request import NewSession
from ingress.dialects.elizaos.wire.session_view import (
    CreatedSession,
    DeletedSession,
    SessionInfo,
    SessionList,
    from_census,
    from_deleted,
    from_living,
    from_new,
)
from ingress.fields import answer
from ingress.idempotency import as_answer, once, respond
from shared.domain.errors import NotFound
from shared.domain.idempotency import Answer
from shared.domain.session import Session

creating = APIRouter(prefix="/api/messaging", route_class=CreatingRoute, tags=["sessions"])
router = APIRouter(prefix="/api/messaging", route_class=ElizaRoute, tags=["sessions"])


@creating.post(
    "/sessions",
    summary="Create a session",
    status_code=201,
    response_model=CreatedSession,
    responses=problems(403, 404),
)
async def create_session(call: Call, body: NewSession) -> Response:
    """Open a conversation of a user with an agent; a policy that cannot be is bounded."""
    asked, platform = body.checked(), call.platform
    agent = await platform.agents.find(asked.agent)
    expiry = platform.lifetimes.opening(agent.settings if agent else {}, asked.wish)
    new = asked.to_domain(call.principal, expiry, call.correlation_id)
    try:
        created = await platform.sessions.create_once(call.principal, new, once(call, _created))
    except NotFound:
        raise agent_not_found(asked.agent) from None
    return respond(created, _created)


def _created(session: Session) -> Answer:
    return as_answer(from_new(session), 201)


@router.get("/sessions", summary="List sessions", response_model=SessionList)
async def list_sessions(call: Call) -> Response:
    """List the sessions that have not expired and that the caller may see: at most 1,000."""
    return answer(from_census(await call.platform.lifetimes.living(call.principal)))


@router.get(
    "/sessions/{session_id}",
    summary="Read a session",
    response_model=SessionInfo,
    responses=problems(404, 410),
)
async def get_session(call: Call, session_id: SessionPath) -> Response:
    """Say where a session stands; this renews nothing."""
    return answer(from_living(await call.platform.lifetimes.get(call.principal, session_id)))


@router.delete(
    "/sessions/{session_id}",
    summary="Delete a session",
    response_model=DeletedSession,
    responses=problems(404),
)
async def delete_session(call: Call, session_id: SessionPath) -> Response:
    """End a session, expired or not: it is gone here, and its messages are kept."""
    await call.platform.lifetimes.end(call.principal, session_id)
    return answer(from_deleted(str(session_id)))
