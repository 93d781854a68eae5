"""Agents: the operator says what they are; whoever acts for the project reads them."""

from fastapi import APIRouter
from starlette.responses import Response

from ingress.call import Call
from ingress.dialects.powabase.describe import problems
from ingress.dialects.powabase.route import OperatorRoute, ServiceRoute
from ingress.dialects.powabase.wire import spelling
from ingress.dialects.powabase.wire.agent import Agent, AgentList, from_agent, from_agents
from ingress.dialects.powabase.wire.agent_request import AgentPatch, NewAgent
from ingress.dialects.powabase.wire.session import Deleted
from ingress.dialects.powabase.wire.spelling import (
    MAX_OFFSET,
    AgentPath,
    Offset,
    SessionsLimit,
    clamped,
)
from ingress.fields import answer
from ingress.idempotency import as_answer, once, respond
from shared.domain.agent import Agent as DomainAgent
from shared.domain.idempotency import Answer
from shared.domain.principal import Scope

PREFIX = "/api/agents"
router = APIRouter(prefix=PREFIX, route_class=ServiceRoute, tags=["agents"])
_changing = APIRouter(prefix=PREFIX, route_class=OperatorRoute, tags=["agents"])


@router.get("", summary="List agents", response_model=AgentList, responses=problems(403))
async def list_agents(call: Call, limit: SessionsLimit = None, offset: Offset = None) -> Response:
    many, skipped = clamped(limit, 50, 1, 200), clamped(offset, 0, 0, MAX_OFFSET)
    agents, total = await call.platform.agents.part(limit=many, offset=skipped)
    whole = _may_change(call)
    return answer(from_agents(agents, total, limit=many, offset=skipped, whole=whole))


@_changing.post(
    "", summary="Make an agent", status_code=201, response_model=Agent, responses=problems(403)
)
async def create_agent(call: Call, body: NewAgent | None = None) -> Response:
    """Make an agent; of two that have one name, the later one is found by its id alone."""
    spec = (body or NewAgent()).to_domain()
    agents, key = call.platform.agents, once(call, _made)
    return respond(await agents.create_once(call.principal, spec, key, share_name=True), _made)


def _made(agent: DomainAgent) -> Answer:
    return as_answer(from_agent(agent, whole=True), 201)


@router.get(
    "/{agent_id}", summary="Read an agent", response_model=Agent, responses=problems(403, 404)
)
async def get_agent(call: Call, agent_id: AgentPath) -> Response:
    found = await call.platform.agents.get(str(spelling.agent_id(agent_id)))
    return answer(from_agent(found, whole=_may_change(call)))


@_changing.patch(
    "/{agent_id}",
    summary="Change an agent",
    response_model=Agent,
    responses=problems(403, 404, 409),
)
async def change_agent(call: Call, agent_id: AgentPath, body: AgentPatch) -> Response:
    """Change an agent; runs that start from now on are performed so."""
    known = str(spelling.agent_id(agent_id))
    changed = await call.platform.agents.change_named(known, body.edited)
    return answer(from_agent(changed, whole=True))


@_changing.delete(
    "/{agent_id}",
    summary="Delete an agent",
    response_model=Deleted,
    responses=problems(403, 404, 409),
)
async def delete_agent(call: Call, agent_id: AgentPath) -> Response:
    """Take an agent away from new sessions; those that have it keep it."""
    await call.platform.agents.delete(str(spelling.agent_id(agent_id)))
    return answer({"success": True, "message": "Agent deleted"})


def _may_change(call: Call) -> bool:
    return call.principal.scope is Scope.ADMIN


router.routes.extend(_changing.routes)
