"""The sessions of one agent."""

from fastapi import APIRouter
from starlette.responses import Response

from ingress.call import Call
from ingress.dialects.powabase.describe import problems
from ingress.dialects.powabase.wire import session, spelling
from ingress.dialects.powabase.wire.seeding import AgentSession
from ingress.dialects.powabase.wire.session import After, Before, Runs, Search
from ingress.dialects.powabase.wire.spelling import (
    MAX_OFFSET,
    AgentPath,
    Offset,
    SessionPath,
    SessionsLimit,
    clamped,
)
from ingress.fields import answer
from ingress.idempotency import as_answer, once, respond
from ingress.route import LenientRoute
from shared.domain.errors import NotFound
from shared.domain.idempotency import Answer
from shared.domain.session import Session

router = APIRouter(prefix="/api/agents/{agent_id}/sessions", route_class=LenientRoute)
router.tags = ["agents"]


@router.get(
    "",
    summary="List an agent's sessions",
    response_model=session.SessionList,
    responses=problems(404),
)
async def list_sessions(  # noqa: PLR0913  (each is a parameter of the query)
    call: Call,
    agent_id: AgentPath,
    *,
    limit: SessionsLimit = None,
    offset: Offset = None,
    search: Search = None,
    created_after: After = None,
    created_before: Before = None,
    min_runs: Runs = None,
    max_runs: Runs = None,
) -> Response:
    """List the caller's sessions with an agent, newest activity first."""
    agent = await call.platform.agents.get(str(spelling.agent_id(agent_id)))
    many, skipped = clamped(limit, 50, 1, 200), clamped(offset, 0, 0, MAX_OFFSET)
    created, runs = (created_after, created_before), (min_runs, max_runs)
    wanted = session.filters(agent.id, search=search, created=created, runs=runs)
    recent = call.platform.sessions.recent(call.principal, wanted, limit=many, offset=skipped)
    return answer(session.from_recent(await recent, many, skipped))


@router.post(
    "",
    summary="Open a session",
    status_code=201,
    response_model=session.NewSessionId,
    responses=problems(403, 404),
)
async def create_session(
    call: Call, agent_id: AgentPath, body: AgentSession | None = None
) -> Response:
    """Open a session, perhaps with what was said elsewhere: pairs of a question and its answer."""
    known = spelling.agent_id(agent_id)
    new = (body or AgentSession()).to_domain(call.principal, known, call.correlation_id)
    opened = await call.platform.sessions.create_once(call.principal, new, once(call, _opened))
    return respond(opened, _opened)


def _opened(opened: Session) -> Answer:
    return as_answer(session.from_new(opened.id), 201)


@router.delete(
    "/{session_id}", summary="Delete a session", status_code=204, responses=problems(404)
)
async def delete_session(call: Call, agent_id: AgentPath, session_id: SessionPath) -> Response:
    """Delete a session of this agent with its runs and messages, in every contract."""
    known, id_ = spelling.agent_id(agent_id), spelling.session_id(session_id)
    found = await call.platform.sessions.get(call.principal, id_)
    if found.agent_id != known:
        raise NotFound("session")
    await call.platform.sessions.delete(call.principal, id_)
    return Response(status_code=204)
