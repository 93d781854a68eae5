"""Sessions: with an agent of their own, or with one that is there."""

from functools import partial

from fastapi import APIRouter
from starlette.responses import Response

from ingress.call import Call
from ingress.deps import Queried, SessionPath
from ingress.dialects.atthene.describe import problems
from ingress.dialects.atthene.route import ConfigurationRoute
from ingress.dialects.atthene.wire.configuration import NewConfiguration, to_configuration
from ingress.dialects.atthene.wire.session import (
    CreatedByKey,
    CreatedFromAgent,
    CreatedSession,
    KeyQuery,
    PageQuery,
    SessionDetail,
    SessionList,
    from_agent,
    from_configured,
    from_created,
    from_key,
    from_list,
    new_session,
)
from ingress.fields import answer
from ingress.idempotency import as_answer, once, respond
from ingress.route import LenientRoute
from shared.domain.agent import Agent
from shared.domain.history import RecentFilter
from shared.domain.idempotency import Answer
from shared.domain.session import Session

configuring = APIRouter(
    prefix="/api/v1/sessions", route_class=ConfigurationRoute, tags=["sessions"]
)
router = APIRouter(prefix="/api/v1/sessions", route_class=LenientRoute, tags=["sessions"])


@configuring.post(
    "",
    summary="Create a session with a configuration",
    status_code=201,
    response_model=CreatedSession,
    responses=problems(403),
)
async def create_session(call: Call, body: NewConfiguration) -> Response:
    """Open a conversation with an agent of its own, which no list shows; JSON or YAML.

    The session keeps its configuration for life. Takes a key of scope service or admin.
    """
    configuration = to_configuration(body, call.parsed)
    opened = await call.platform.configurations.open_once(
        call.principal, configuration, new_session(call.correlation_id), once(call, _created)
    )
    return respond(opened, _created)


def _created(session: Session) -> Answer:
    return as_answer(from_created(session), 201)


@router.post(
    "/from-agent/{agent_id}",
    summary="Create a session from an agent",
    status_code=201,
    response_model=CreatedFromAgent,
    responses=problems(404),
)
async def create_from_agent(call: Call, agent_id: str) -> Response:
    """Open a conversation with an agent, named by id or name; it follows what the agent becomes."""
    agent = await call.platform.agents.find(agent_id)
    render = partial(_from_agent, agent)
    new = new_session(call.correlation_id, agent_id)
    opened = await call.platform.sessions.create_once(call.principal, new, once(call, render))
    return respond(opened, render)


def _from_agent(agent: Agent | None, session: Session) -> Answer:
    return as_answer(from_agent(agent, session), 201)


@router.get(
    "/from-agent",
    summary="Create a session by an agent's key",
    status_code=201,
    response_model=CreatedByKey,
    responses=problems(404),
)
async def create_by_key(call: Call, query: Queried[KeyQuery]) -> Response:
    """Open a conversation with an agent; each call opens another."""
    new = new_session(call.correlation_id, query.agent_key)
    session = await call.platform.sessions.create(call.principal, new)
    return answer(from_key(query.agent_key, session), 201)


@router.get("", summary="List sessions", response_model=SessionList)
async def list_sessions(call: Call, query: Queried[PageQuery]) -> Response:
    """List the sessions that the caller may see, of whatever contract."""
    recent = await call.platform.sessions.recent(
        call.principal, RecentFilter(), limit=query.limit, offset=query.offset
    )
    found = await call.platform.configurations.several(each.session for each in recent.items)
    return answer(from_list(query, found, recent.total))


@router.get(
    "/{session_id}", summary="Read a session", response_model=SessionDetail, responses=problems(404)
)
async def get_session(call: Call, session_id: SessionPath) -> Response:
    """Read a session with what answers in it."""
    return answer(
        from_configured(await call.platform.configurations.get(call.principal, session_id))
    )
