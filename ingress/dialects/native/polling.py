"""`Poll-After`: in how many seconds it is worth asking again."""

from collections.abc import Sequence

from ingress.call import Call
from ingress.dialects.native.describe import Description, Responses
from shared.domain.pace import LATEST, SOONEST, run_poll_after, session_poll_after
from shared.domain.run import Run
from shared.domain.session import Standing

HEADER = "Poll-After"
_ETAG: Description = {
    "ETag": {"description": "For `If-None-Match`.", "schema": {"type": "string"}},
}
_POLL_AFTER: Description = {
    HEADER: {
        "description": "Seconds after which it is worth asking again, by how long runs of this "
        "pool took lately. A hint: who asks sooner or later is answered all the same.",
        "schema": {"type": "integer", "minimum": SOONEST, "maximum": LATEST},
        "example": 2,
    }
}
POLLED: Responses = {200: {"headers": dict(_POLL_AFTER)}}
ACCEPTED: Responses = {202: {"headers": dict(_POLL_AFTER)}}
CONDITIONAL: Responses = {
    200: {"headers": _POLL_AFTER | _ETAG},
    304: {
        "description": "Still what `If-None-Match` names.",
        "headers": _POLL_AFTER | _ETAG,
    },
}


def after_standings(call: Call, standings: Sequence[Standing]) -> dict[str, str]:
    """Say when to ask for sessions again: as soon as for the most promising of them."""
    forces = call.platform.forces
    hints = (session_poll_after(each, forces.of(each.pool)) for each in standings)
    return {HEADER: str(min(hints, default=LATEST))}


def after_run(call: Call, run: Run) -> dict[str, str]:
    """Say when to ask for a run again; never, once it has ended."""
    seconds = run_poll_after(run, call.platform.forces.of(run.pool))
    return {} if seconds is None else {HEADER: str(seconds)}
