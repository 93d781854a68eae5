"""Asking an agent: the message is stored, then its run is waited for."""

from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

import orjson
from starlette.responses import Response

from ingress.call import Call
from ingress.dialects.powabase.wire import result
from ingress.dialects.powabase.wire.run_request import Asked
from ingress.dialects.powabase.wire.spelling import ORIGIN, agent_id
from ingress.dialects.powabase.wire.turn import reasoning_asked
from ingress.fields import answer
from ingress.held import held
from ingress.idempotency import REPLAYED, as_answer, once
from ingress.rates import rate_headers
from shared import ids
from shared.domain.errors import NotFound, Unavailable
from shared.domain.idempotency import Answer
from shared.domain.jsontypes import JsonObject
from shared.domain.requests import Accepted, NewMessage, NewSession, Replayed
from shared.domain.run import TERMINAL, Run
from shared.domain.turn import Turn
from shared.ids import RunId, SessionId
from shared.service.joining import destination


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """A message that is stored, now or when the same key came first."""

    run_id: RunId
    session_id: SessionId
    is_new_session: bool
    headers: dict[str, str]


async def post(call: Call, agent: str, asked: Asked) -> Posted:
    """Store a message to this agent, with the session if it is the first of one.

    Raises what intake raises, and NotFound for agent and session.
    """
    known = agent_id(agent)
    found = await call.platform.agents.find(str(known))
    new = NewSession(agent=str(known), correlation_id=call.correlation_id, origin=ORIGIN)
    to = await destination(call.platform.sessions, call.principal, new, known, asked.session_id)
    if found is None and isinstance(to.refusal, NotFound):
        to = replace(to, refusal=NotFound("agent"))
    message = NewMessage(
        session_id=to.session_id,
        content=asked.message,
        correlation_id=call.correlation_id,
        author_id=call.principal.user_id,
        options=asked.options | reasoning_asked(asked.reasoning, found.settings if found else {}),
        origin=ORIGIN,
    )
    taken = await call.platform.intake.accept_once(
        call.principal,
        message,
        once(call, partial(_receipt, is_new_session=to.opening is not None)),
        meters=call.meters(to.session_id),
        refusal=to.refusal,
        opening=to.opening,
    )
    if isinstance(taken, Replayed):
        return _again(taken.answer)
    return Posted(
        run_id=taken.run.id,
        session_id=taken.run.session_id,
        is_new_session=to.opening is not None,
        headers=rate_headers(taken.allowances),
    )


def _receipt(accepted: Accepted, *, is_new_session: bool) -> Answer:
    """Print what is kept with a key: the answer itself is not there yet."""
    run = accepted.run
    kept: JsonObject = {"session_id": run.session_id.hex, "is_new_session": is_new_session}
    return as_answer(kept, 200, run_id=run.id)


def _again(first: Answer) -> Posted:
    kept = orjson.loads(first.body)
    if first.run_id is None:
        raise NotFound("run")
    return Posted(
        run_id=first.run_id,
        session_id=SessionId(ids.parse("sess", kept["session_id"])),
        is_new_session=kept["is_new_session"],
        headers={REPLAYED: "true"},
    )


async def awaited(call: Call, posted: Posted, seconds: float | None) -> Response:
    """Answer with what became of the run; 504 with where to look, once the time is up."""
    seconds = seconds or call.platform.settings.sync_wait_seconds
    # Accepted is accepted: what goes wrong with the waiting is no reason to post it again.
    with suppress(Unavailable):
        waiting = call.platform.runs.wait(call.principal, posted.run_id, seconds=seconds)
        run = await held(call, waiting)
        if run.status in TERMINAL:
            turn = await turn_of(call, run)
            body = result.from_turn(turn, is_new_session=posted.is_new_session)
            return answer(body, 200, posted.headers)
    return answer(result.late(posted.run_id, posted.session_id), 504, posted.headers)


async def turn_of(call: Call, run: Run) -> Turn:
    """Complete a run. Raises NotFound if it was deleted meanwhile."""
    turns = await call.platform.turns.of_runs(call.principal, [run])
    if not turns:
        raise NotFound("run")
    return turns[0]
