"""Agents: what can be talked to."""

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import Response

from ingress.call import Call
from ingress.deps import Queried
from ingress.dialects.native.describe import problems
from ingress.dialects.native.wire.agent import Agent, from_agent
from ingress.dialects.native.wire.fields import answer
from ingress.dialects.native.wire.paging import ListOf, NewestFirst, from_listing
from ingress.route import StrictRoute

router = APIRouter(prefix="/v1/agents", route_class=StrictRoute, tags=["agents"])

AgentPath = Annotated[str, Path(max_length=200, description="An id in either spelling, or a name.")]


@router.get("", summary="List agents", response_model=ListOf[Agent])
async def list_agents(call: Call, query: Queried[NewestFirst]) -> Response:
    listing = await call.platform.agents.list(query.page())
    return answer(from_listing(listing.map(from_agent)))


@router.get("/{agent}", summary="Read an agent", response_model=Agent, responses=problems(404))
async def get_agent(call: Call, agent: AgentPath) -> Response:
    return answer(from_agent(await call.platform.agents.get(agent)))
