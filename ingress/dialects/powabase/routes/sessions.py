"""Sessions: read them, with what was said and how; delete them."""

from fastapi import APIRouter
from starlette.responses import Response

from ingress.call import Call
from ingress.dialects.powabase.asking import turn_of
from ingress.dialects.powabase.assembling import assembled, is_seed
from ingress.dialects.powabase.describe import problems
from ingress.dialects.powabase.wire import run, spelling
from ingress.dialects.powabase.wire.context import RetrievedContext
from ingress.dialects.powabase.wire.message import TOOLS, Include, Messages
from ingress.dialects.powabase.wire.session import Deleted, Session, from_session
from ingress.dialects.powabase.wire.spelling import (
    MAX_OFFSET,
    Offset,
    RunPath,
    RunsLimit,
    SessionPath,
    TurnsLimit,
    clamped,
)
from ingress.fields import answer
from ingress.route import LenientRoute
from ingress.streamed import StreamedList
from shared import ids
from shared.domain.errors import NotFound

router = APIRouter(prefix="/api/sessions", route_class=LenientRoute, tags=["sessions"])


@router.get(
    "/{session_id}", summary="Read a session", response_model=Session, responses=problems(404)
)
async def get_session(call: Call, session_id: SessionPath) -> Response:
    found = await call.platform.sessions.get(call.principal, spelling.session_id(session_id))
    return answer(from_session(found))


@router.get(
    "/{session_id}/messages",
    summary="Read the conversation",
    response_model=Messages,
    responses=problems(404),
)
async def list_messages(
    call: Call, session_id: SessionPath, limit: TurnsLimit = None, include: Include = None
) -> StreamedList:
    """Read the turns that were answered, oldest first, each with what was retrieved for it."""
    id_ = spelling.session_id(session_id)
    most = None if spelling.maybe_number(limit) is None else clamped(limit, 200, 1, 200)
    pages = assembled(call, id_, most=most, tools=TOOLS in (include or "").split(","))
    return StreamedList({"session_id": ids.spell("sess", id_)}, "messages", pages)


@router.get(
    "/{session_id}/runs", summary="List its runs", response_model=run.Runs, responses=problems(404)
)
async def list_runs(
    call: Call, session_id: SessionPath, limit: RunsLimit = None, offset: Offset = None
) -> Response:
    """List every run, whatever became of it, oldest first."""
    id_ = spelling.session_id(session_id)
    many, skipped = clamped(limit, 100, 1, 100), clamped(offset, 0, 0, MAX_OFFSET)
    turns = await call.platform.turns.of_session(call.principal, id_, limit=many, offset=skipped)
    return answer(run.from_turns(id_, turns, many, skipped))


@router.get(
    "/{session_id}/runs/{run_id}/retrieved-context",
    summary="Read what was retrieved for a run",
    response_model=RetrievedContext,
    responses=problems(404),
)
async def get_retrieved_context(call: Call, session_id: SessionPath, run_id: RunPath) -> Response:
    """Read every chunk as the agent saw it; a run that retrieved nothing has an empty list."""
    found = await call.platform.sessions.get(call.principal, spelling.session_id(session_id))
    if await is_seed(call, found.id, run_id):
        return answer(run.from_seed(found.id, run_id))
    performed = await call.platform.runs.get(call.principal, spelling.run_id(run_id))
    if performed.session_id != found.id:
        raise NotFound("run")
    return answer(run.from_retrieved(await turn_of(call, performed)))


@router.delete(
    "/{session_id}", summary="Delete a session", response_model=Deleted, responses=problems(404)
)
async def delete_session(call: Call, session_id: SessionPath) -> Response:
    """Delete a session with its runs and messages, in every contract."""
    await call.platform.sessions.delete(call.principal, spelling.session_id(session_id))
    return answer({"success": True, "message": "Session deleted"})
