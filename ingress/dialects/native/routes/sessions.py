"""Sessions: open, read, delete."""

from fastapi import APIRouter
from starlette.responses import Response

from ingress.call import Call
from ingress.deps import Queried, SessionPath
from ingress.dialects.native.describe import problems
from ingress.dialects.native.wire.paging import ListOf, from_listing
from ingress.dialects.native.wire.receipt import session_location
from ingress.dialects.native.wire.session_request import NewSession, SessionsQuery
from ingress.dialects.native.wire.session_view import Session
from ingress.fields import answer
from ingress.idempotency import as_answer, once, respond
from ingress.route import StrictRoute
from shared.domain.idempotency import Answer
from shared.domain.printed import from_session
from shared.domain.session import Session as DomainSession

router = APIRouter(prefix="/v1/sessions", route_class=StrictRoute, tags=["sessions"])


@router.post(
    "",
    summary="Open a session",
    status_code=201,
    response_model=Session,
    responses=problems(403, 404),
)
async def create_session(call: Call, body: NewSession) -> Response:
    """Open a conversation with an agent; `Location` is the session."""
    max_chars = call.platform.settings.max_content_chars
    new = body.to_domain(call.correlate(body.correlation_id), max_chars)
    opened = await call.platform.sessions.create_once(call.principal, new, once(call, _opened))
    return respond(opened, _opened)


def _opened(session: DomainSession) -> Answer:
    return as_answer(from_session(session), 201, session_location(session.id))


@router.get("", summary="List sessions", response_model=ListOf[Session])
async def list_sessions(call: Call, query: Queried[SessionsQuery]) -> Response:
    """List the sessions that the caller may see."""
    listing = await call.platform.sessions.list(call.principal, query.filters(), query.page())
    return answer(from_listing(listing.map(from_session)))


@router.get(
    "/{session_id}", summary="Read a session", response_model=Session, responses=problems(404)
)
async def get_session(call: Call, session_id: SessionPath) -> Response:
    session = await call.platform.sessions.get(call.principal, session_id)
    return answer(from_session(session))


@router.delete(
    "/{session_id}", summary="Delete a session", status_code=204, responses=problems(404)
)
async def delete_session(call: Call, session_id: SessionPath) -> Response:
    """Hide a session and its messages at once, cancel its runs; rows go in the background."""
    await call.platform.sessions.delete(call.principal, session_id)
    return Response(status_code=204)
