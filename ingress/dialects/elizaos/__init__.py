"""The ElizaOS contract, `/api/messaging`."""

from fastapi import APIRouter

from ingress.dialects import Dialect
from ingress.dialects.elizaos.openapi import document
from ingress.dialects.elizaos.routes import health, lifetimes, messages, sessions
from ingress.dialects.elizaos.wire.error import render_error

router = APIRouter(redirect_slashes=False)
# One flat list: FastAPI matches an included router twice. `health` comes before ids.
for each in (
    messages.sending,
    messages.router,
    health.router,
    sessions.creating,
    sessions.router,
    lifetimes.router,
):
    router.routes.extend(each.routes)

DIALECT = Dialect(
    name="elizaos",
    prefix="/api/messaging",
    router=router,
    render_error=render_error,
    document=document(router),
)
