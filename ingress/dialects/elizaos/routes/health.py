"""How the sessions do, for whoever asks."""

from contextlib import suppress

from fastapi import APIRouter
from starlette.responses import Response

from ingress.auth import authenticate, credentials
from ingress.call import Call
from ingress.dialects.elizaos.route import OpenRoute
from ingress.dialects.elizaos.wire.session_view import Health, from_vitals
from ingress.fields import answer
from shared.clock import monotonic
from shared.domain.errors import Unavailable
from shared.domain.living import Vitals

router = APIRouter(prefix="/api/messaging", route_class=OpenRoute, tags=["health"])

_STARTED = monotonic()


@router.get(
    "/sessions/health",
    summary="Look at the service",
    response_model=Health,
    responses={503: {"model": Health, "description": "Unhealthy: the database is away."}},
)
async def get_health(call: Call) -> Response:
    """Say how the sessions do: everybody's, or of a caller who sends a credential."""
    vitals = await _vitals(call)
    body = from_vitals(vitals, monotonic() - _STARTED)
    return answer(body, 503 if vitals is None else 200)


async def _vitals(call: Call) -> Vitals | None:
    with suppress(Unavailable):
        known = (await authenticate(call)).principal if credentials(call.scope) else None
        return await call.platform.lifetimes.health(known)
    return None
