"""Agents: what can be talked to; admins say what that is."""

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import Response

from ingress.call import Call
from ingress.deps import Queried
from ingress.dialects.native.describe import problems
from ingress.dialects.native.wire.agent import Agent, agent_location, from_agent
from ingress.dialects.native.wire.agent_request import AgentPatch, NewAgent
from ingress.dialects.native.wire.paging import ListOf, NewestFirst, from_listing
from ingress.fields import answer
from ingress.idempotency import as_answer, once, respond
from ingress.route import AdminRoute, StrictRoute
from shared.domain.agent import Agent as DomainAgent
from shared.domain.idempotency import Answer
from shared.domain.principal import Scope

PREFIX = "/v1/agents"
router = APIRouter(prefix=PREFIX, route_class=StrictRoute, tags=["agents"])
_changing = APIRouter(prefix=PREFIX, route_class=AdminRoute, tags=["agents"])

AgentPath = Annotated[str, Path(max_length=200, description="An id in either spelling, or a name.")]


@router.get("", summary="List agents", response_model=ListOf[Agent])
async def list_agents(call: Call, query: Queried[NewestFirst]) -> Response:
    whole = _may_change(call)
    listing = await call.platform.agents.list(query.page())
    return answer(from_listing(listing.map(lambda agent: from_agent(agent, whole=whole))))


@router.get("/{agent}", summary="Read an agent", response_model=Agent, responses=problems(404))
async def get_agent(call: Call, agent: AgentPath) -> Response:
    found = await call.platform.agents.get(agent)
    return answer(from_agent(found, whole=_may_change(call)))


@_changing.post(
    "",
    summary="Make an agent",
    status_code=201,
    response_model=Agent,
    responses=problems(403, 409),
)
async def create_agent(call: Call, body: NewAgent) -> Response:
    """Make an agent that every tenant may talk to; `Location` is the agent.

    Its runs wait in its pool until a worker serves that: workers are told their pools when they
    start. A worker without its kind ends them with `agent_kind_unavailable`.
    """
    call.correlate(body.correlation_id)
    agents = call.platform.agents
    made = await agents.create_once(call.principal, body.to_domain(), once(call, _made))
    return respond(made, _made)


def _made(agent: DomainAgent) -> Answer:
    return as_answer(from_agent(agent, whole=True), 201, agent_location(agent.id))


@_changing.patch(
    "/{agent}",
    summary="Change an agent",
    response_model=Agent,
    responses=problems(403, 404, 409),
)
async def change_agent(call: Call, agent: AgentPath, body: AgentPatch) -> Response:
    """Merge fields into an agent (RFC 7396); runs that start from now on are performed so."""
    call.correlate(body.correlation_id)
    changed = await call.platform.agents.change(agent, body.merged)
    return answer(from_agent(changed, whole=True))


@_changing.delete(
    "/{agent}",
    summary="Delete an agent",
    status_code=204,
    responses=problems(403, 404, 409),
)
async def delete_agent(call: Call, agent: AgentPath) -> Response:
    """Take an agent away from new sessions; those that have it keep it, and its name is free."""
    await call.platform.agents.delete(agent)
    return Response(status_code=204)


def _may_change(call: Call) -> bool:
    return call.principal.scope is Scope.ADMIN


router.routes.extend(_changing.routes)
