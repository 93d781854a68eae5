"""What a producer gets at once: both its message and the run are committed to disk."""

from pydantic import BaseModel

from ingress.dialects.native.wire.message import Message
from ingress.dialects.native.wire.run_view import Run
from shared import ids
from shared.domain.jsontypes import JsonObject
from shared.domain.message import Message as DomainMessage
from shared.domain.printed import from_message, from_run
from shared.domain.run import Run as DomainRun
from shared.ids import RunId, SessionId


class Links(BaseModel):
    """Where to look next."""

    run: str
    status: str
    events: str


class Receipt(BaseModel):
    """A message that was accepted, and the run that answers it."""

    message: Message
    run: Run
    links: Links
    cancelled_runs: list[str]


def from_receipt(
    message: DomainMessage, run: DomainRun, cancelled: tuple[RunId, ...] = ()
) -> JsonObject:
    location = run_location(run.id)
    return {
        "message": from_message(message),
        "run": from_run(run),
        "links": {
            "run": location,
            "status": f"{session_location(run.session_id)}/status",
            "events": f"{location}/events",
        },
        "cancelled_runs": [ids.spell("run", each) for each in cancelled],
    }


def run_location(run_id: RunId) -> str:
    """Where a run is read."""
    return f"/v1/runs/{ids.spell('run', run_id)}"


def session_location(session_id: SessionId) -> str:
    """Where a session is read."""
    return f"/v1/sessions/{ids.spell('sess', session_id)}"
