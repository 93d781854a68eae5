"""Executing a message: it goes through the queue like any other, and its answer is waited for."""

from contextlib import suppress
from functools import partial

import orjson

from ingress.call import Call
from ingress.dialects.atthene.wire.execution import from_turn
from ingress.dialects.atthene.wire.message import Execute
from ingress.held import held
from ingress.idempotency import REPLAYED, as_answer, once
from ingress.rates import rate_headers
from shared.clock import monotonic
from shared.domain.errors import InturnError, NotFound, Unavailable
from shared.domain.event import EventType, OfRun
from shared.domain.idempotency import Answer
from shared.domain.jsontypes import JsonObject
from shared.domain.requests import Accepted, NewMessage, Replayed
from shared.domain.turn import Turn
from shared.ids import RunId, SessionId

_MOST_EVENTS = 1000  # of a run in which the durations of its tools are looked for


async def store(call: Call, session_id: SessionId, body: Execute) -> tuple[Answer, dict[str, str]]:
    """Store a message, unless its key was answered before; return what is known, and headers."""
    own = body.correlation_id or call.headers.get("x-correlation-id") or None
    new, refusal = await _given(call, session_id, body)
    taken = await call.platform.intake.accept_once(
        call.principal,
        new,
        once(call, partial(_accepted, own)),
        meters=call.meters(session_id),
        refusal=refusal,
    )
    if isinstance(taken, Replayed):
        return taken.answer, {REPLAYED: "true"}
    return _accepted(own, taken), rate_headers(taken.allowances)


async def _given(
    call: Call, session_id: SessionId, body: Execute
) -> tuple[NewMessage, InturnError | None]:
    """Add what the session keeps; what is wrong is told to whoever was not answered before."""
    correlation_id = call.correlate(body.correlation_id)
    max_chars = call.platform.settings.max_content_chars
    new = body.to_domain(call.principal, session_id, correlation_id, max_chars)
    return await call.platform.configurations.given(call.principal, new)


def _accepted(correlation_id: str | None, accepted: Accepted) -> Answer:
    turn = Turn(run=accepted.run, inputs=(accepted.message,))
    return as_answer(from_turn(turn, correlation_id), 200, run_id=accepted.run.id)


async def answered(call: Call, stored: Answer) -> Answer:
    """Wait for the run, and print it as it is then."""
    if stored.run_id is None:
        return stored
    started, seconds = monotonic(), call.platform.settings.sync_wait_seconds
    # Accepted is accepted: what goes wrong with the waiting is no reason to send it again.
    with suppress(NotFound, Unavailable):
        waiting = call.platform.runs.wait(call.principal, stored.run_id, seconds=seconds)
        run = await held(call, waiting)
        for turn in await call.platform.turns.of_runs(call.principal, [run]):
            body = from_turn(
                turn,
                _own_correlation_id(stored),
                waited=monotonic() - started,
                durations=await _durations(call, turn),
            )
            return as_answer(body, stored.status, run_id=run.id)
    return stored


def _own_correlation_id(stored: Answer) -> str | None:
    known: JsonObject = orjson.loads(stored.body)["metadata"]
    correlation_id = known["correlation_id"]
    return correlation_id if isinstance(correlation_id, str) else None


async def _durations(call: Call, turn: Turn) -> dict[str, int]:
    """Read how long each tool took, as the run said it."""
    if not turn.tools:
        return {}
    feed = await call.platform.events.open(call.principal, OfRun(RunId(turn.run.id)), None)
    took = {
        str(event.data["call_id"]): event.data.get("duration_ms")
        for event in await feed.read(_MOST_EVENTS)
        if event.type is EventType.TOOL_RETURNED
    }
    return {call_id: each for call_id, each in took.items() if isinstance(each, int)}
