"""States of sessions: read, and changed by who has read them."""

from fastapi import APIRouter
from starlette.responses import Response

from ingress.call import Call
from ingress.deps import SessionPath
from ingress.dialects.native.describe import problems
from ingress.dialects.native.wire.state import State, StatePatch, seen, state_etag
from ingress.fields import answer
from ingress.route import StrictRoute
from shared.domain.state import SessionState

router = APIRouter(
    prefix="/v1/sessions/{session_id}/state", route_class=StrictRoute, tags=["sessions"]
)


@router.get("", summary="Read a session's state", response_model=State, responses=problems(404))
async def get_state(call: Call, session_id: SessionPath) -> Response:
    """Read working memory and each tool's configuration; the `ETag` is this state's own."""
    return _answer(await call.platform.states.get(call.principal, session_id))


@router.patch(
    "",
    summary="Change a session's state",
    response_model=State,
    responses=problems(404, 409, 412, 428),
)
async def change_state(call: Call, session_id: SessionPath, body: StatePatch) -> Response:
    """Merge a patch into the state, as `application/merge-patch+json` or `application/json`.

    `If-Match` is the `ETag` of the state that was read: 428 without it, 412 once somebody else
    has changed the state. The whole may have 64 KiB as JSON.
    """
    call.correlate(body.correlation_id)
    given = call.headers.getlist("if-match")
    state = await call.platform.states.change(
        call.principal, session_id, body.to_patch(), expected=lambda version: seen(given, version)
    )
    return _answer(state)


def _answer(state: SessionState) -> Response:
    return answer(state.as_json(), headers={"ETag": state_etag(state.version)})
