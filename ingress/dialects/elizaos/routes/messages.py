"""Messages in, messages out."""

from typing import TypeAlias

from fastapi import APIRouter
from starlette.responses import Response

from ingress.call import Call
from ingress.dialects.elizaos.describe import STREAM, problems
from ingress.dialects.elizaos.route import ElizaRoute, SendingRoute
from ingress.dialects.elizaos.sending import answered, store
from ingress.dialects.elizaos.streaming import stream
from ingress.dialects.elizaos.wire.message_request import NewMessage, Transport
from ingress.dialects.elizaos.wire.message_view import MessagePage, Sent, from_window
from ingress.dialects.elizaos.wire.pagination import (
    AfterQuery,
    BeforeQuery,
    LimitQuery,
    to_instant,
    to_limit,
)
from ingress.dialects.elizaos.wire.paths import SessionGiven, SessionPath, to_session_id
from ingress.fields import answer
from ingress.idempotency import to_response
from ingress.sse import EventStream

sending = APIRouter(prefix="/api/messaging", route_class=SendingRoute, tags=["messages"])
router = APIRouter(prefix="/api/messaging", route_class=ElizaRoute, tags=["messages"])

Answer: TypeAlias = Response | EventStream
PATH = "/sessions/{session_id}/messages"


@sending.post(
    PATH,
    summary="Send a message",
    status_code=201,
    response_model=Sent,
    responses=STREAM | problems(404, 410, 429),
)
async def send_message(call: Call, session_id: SessionGiven, body: NewMessage) -> Answer:
    """Store a message, for the agent to answer; with `autoRenew` it puts the session's end off.

    `transport: http` waits for the answer, `sse` streams it, `websocket` does neither. An agent
    that fails while somebody waits is a 500; one that takes too long is a 201 without an answer.
    """
    transport = body.asked()
    sent, headers = await store(call, to_session_id(session_id), body)
    if transport is Transport.SSE:
        return stream(call, sent, headers)
    if transport is Transport.HTTP:
        sent = await answered(call, session_id, sent)
    return to_response(sent, headers)


@router.get(
    PATH,
    summary="List a session's messages",
    response_model=MessagePage,
    responses=problems(404, 410),
)
async def list_messages(
    call: Call,
    session_id: SessionPath,
    limit: LimitQuery = None,
    before: BeforeQuery = None,
    after: AfterQuery = None,
) -> Response:
    """List what was said, newest first: before an instant, after one, or between the two.

    With `after` alone these are the oldest that are newer, so that nothing is skipped.
    """
    living = await call.platform.lifetimes.get(call.principal, session_id)
    since, until = to_instant("after", after), to_instant("before", before)
    window = await call.platform.messages.window(
        call.principal, session_id, before=until, after=since, limit=to_limit(limit)
    )
    return answer(from_window(window, living))
