"""The Powabase contract, `/api`."""

from fastapi import APIRouter

from ingress.dialects import Dialect
from ingress.dialects.powabase.openapi import document
from ingress.dialects.powabase.routes import agent_sessions, agents, runs, sessions
from ingress.dialects.powabase.wire.error import render_error

router = APIRouter(redirect_slashes=False)
# One flat list: FastAPI matches an included router twice. `/agents/runs/…` is no agent's.
for noun in (runs, sessions, agent_sessions, agents):
    router.routes.extend(noun.router.routes)

DIALECT = Dialect(
    name="powabase",
    prefix="/api",
    router=router,
    render_error=render_error,
    document=document(router),
)
