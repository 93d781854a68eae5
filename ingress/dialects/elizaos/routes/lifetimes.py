"""How long sessions live: renewed, kept alive, given another policy."""

from fastapi import APIRouter
from starlette.responses import Response

from ingress.call import Call
from ingress.dialects.elizaos.describe import problems
from ingress.dialects.elizaos.route import ElizaRoute
from ingress.dialects.elizaos.wire.paths import SessionPath
from ingress.dialects.elizaos.wire.refusal import invalid_timeout
from ingress.dialects.elizaos.wire.session_view import SessionInfo, from_living
from ingress.dialects.elizaos.wire.timeout import TimeoutBody, to_change
from ingress.fields import answer
from shared.domain.errors import ValidationFailed

router = APIRouter(
    prefix="/api/messaging/sessions/{session_id}", route_class=ElizaRoute, tags=["lifetimes"]
)


@router.post(
    "/renew",
    summary="Renew a session",
    response_model=SessionInfo,
    responses=problems(404, 410, 422),
)
async def renew_session(call: Call, session_id: SessionPath) -> Response:
    """Put the session's end off, whether its messages do or not.

    422 once it has lived for as long as it may; then it is over, too.
    """
    return answer(from_living(await call.platform.lifetimes.renew(call.principal, session_id)))


@router.post(
    "/heartbeat",
    summary="Keep a session alive",
    response_model=SessionInfo,
    responses=problems(404, 410),
)
async def keep_session(call: Call, session_id: SessionPath) -> Response:
    """Say that somebody is there; with `autoRenew` this puts the session's end off."""
    return answer(from_living(await call.platform.lifetimes.heartbeat(call.principal, session_id)))


@router.patch(
    "/timeout",
    summary="Change when a session expires",
    response_model=SessionInfo,
    responses=problems(404, 410),
)
async def reschedule_session(
    call: Call, session_id: SessionPath, body: TimeoutBody = None
) -> Response:
    """Change what is named, and leave the rest; the end may be past by it.

    Numbers may come as text. A timeout that this server does not allow is refused: by default
    less than 5 minutes, or more than 1,440. The others are bounded.
    """
    lifetimes = call.platform.lifetimes
    await lifetimes.get(call.principal, session_id)  # 404 and 410 come before what is wrong here
    wish = to_change(body)
    try:
        return answer(from_living(await lifetimes.reschedule(call.principal, session_id, wish)))
    except ValidationFailed as error:
        reason = f"timeoutMinutes {error.errors[0].msg}"
        raise invalid_timeout(reason, body) from None
