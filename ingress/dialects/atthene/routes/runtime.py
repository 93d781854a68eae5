"""Messages in, answers out."""

from fastapi import APIRouter
from starlette.responses import Response

from ingress.call import Call
from ingress.deps import Queried, SessionPath
from ingress.dialects.atthene.describe import problems
from ingress.dialects.atthene.executing import answered, store
from ingress.dialects.atthene.wire.execution import Execution
from ingress.dialects.atthene.wire.message import Execute, Messages, MessagesQuery, from_slice
from ingress.dialects.atthene.wire.session import SessionState, from_state
from ingress.fields import answer
from ingress.idempotency import to_response
from ingress.route import LenientRoute

router = APIRouter(
    prefix="/api/v1/runtime/{session_id}", route_class=LenientRoute, tags=["runtime"]
)


@router.post(
    "/execute",
    summary="Execute a message",
    response_model=Execution,
    responses=problems(404, 429),
)
async def execute(call: Call, session_id: SessionPath, body: Execute) -> Response:
    """Send a message and wait for the answer; a session that is busy answers in turn.

    What the agent fails at is told with 200, and `success: false`. If the wait passes, so is
    that, and the execution goes on; its answer will be among the messages.
    """
    stored, headers = await store(call, session_id, body)
    return to_response(await answered(call, stored), headers)


@router.get(
    "/messages",
    summary="Read the conversation",
    response_model=Messages,
    responses=problems(404),
)
async def list_messages(
    call: Call, session_id: SessionPath, query: Queried[MessagesQuery]
) -> Response:
    """List what users and agents said, oldest first."""
    found = await call.platform.messages.slice(
        call.principal,
        session_id,
        limit=query.limit,
        offset=query.offset,
        correlation_id=query.correlation_id,
    )
    return answer(from_slice(query, found))


@router.get(
    "/status",
    summary="Read where a session stands",
    response_model=SessionState,
    responses=problems(404),
)
async def get_status(call: Call, session_id: SessionPath) -> Response:
    """Tell whether the session is busy, and how it is."""
    session = await call.platform.sessions.get(call.principal, session_id)
    [found] = await call.platform.configurations.several([session])
    return answer(from_state(found))
