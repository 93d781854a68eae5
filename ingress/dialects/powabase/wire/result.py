"""What became of a run that was waited for."""

from pydantic import BaseModel

from ingress.dialects.powabase.wire.context import Citation, from_citations
from ingress.dialects.powabase.wire.run import Status, Usage
from ingress.dialects.powabase.wire.turn import (
    STATUSES,
    content_of,
    error_of,
    reasoning_requested,
    usage_of,
)
from shared import ids
from shared.domain.jsontypes import JsonObject
from shared.domain.turn import Turn
from shared.ids import RunId, SessionId


class RunResult(BaseModel):
    """The answer; of a run that failed, why. `retrieved_items` counts what was retrieved."""

    run_id: str
    session_id: str
    context_handler_id: str | None
    content: str | None
    error: str | None
    usage: Usage | None
    retrieved_items: int
    status: Status
    is_new_session: bool
    reasoning_requested: bool
    citations: list[Citation] | None = None


class Late(BaseModel):
    """Time is up and the run goes on: read it by its id."""

    error: str
    run_id: str
    session_id: str


def from_turn(turn: Turn, *, is_new_session: bool) -> JsonObject:
    """Print what became of a run."""
    run = turn.run
    body: JsonObject = {
        "run_id": ids.spell("run", run.id),
        "session_id": ids.spell("sess", run.session_id),
        "context_handler_id": None,
        "content": content_of(run),
        "error": error_of(run),
        "usage": usage_of(run),
        "retrieved_items": len(turn.context),
        "status": STATUSES[run.status],
        "is_new_session": is_new_session,
        "reasoning_requested": reasoning_requested(run.options),
    }
    cited = run.output.citations if run.output else ()
    return body | ({"citations": from_citations(cited)} if cited else {})


def late(run_id: RunId, session_id: SessionId) -> JsonObject:
    """Print where to look for the answer."""
    return {
        "error": "The run has not ended in time; it goes on, and is read by its run_id",
        "run_id": ids.spell("run", run_id),
        "session_id": ids.spell("sess", session_id),
    }
