"""Sending a message: stored first, then answered in the way that was asked for."""

from contextlib import suppress
from functools import partial

import orjson

from ingress.call import Call
from ingress.dialects.elizaos.wire.message_request import NewMessage
from ingress.dialects.elizaos.wire.message_view import from_accepted, from_answer, with_answer
from ingress.dialects.elizaos.wire.refusal import AgentFailed, Refusal, sending_failed
from ingress.dialects.elizaos.wire.stream import why
from ingress.held import held
from ingress.idempotency import REPLAYED, as_answer, once
from ingress.rates import rate_headers
from shared.domain import requests
from shared.domain.errors import InturnError, NotFound, SessionExpired, Unavailable
from shared.domain.idempotency import Answer
from shared.domain.jsontypes import JsonObject
from shared.domain.living import Living
from shared.domain.message import plain_text
from shared.domain.requests import Accepted, Replayed
from shared.domain.run import TERMINAL, Run, RunStatus
from shared.ids import RunId, SessionId

LONGEST_WAIT_SECONDS = 25.0  # the clients of this contract give up after 30


async def store(
    call: Call, session_id: SessionId, body: NewMessage
) -> tuple[Answer, dict[str, str]]:
    """Store a message, unless its key was answered before; return the answer, and its headers."""
    new, living, refusal = await _checked(call, session_id, body)
    taken = await call.platform.intake.accept_once(
        call.principal,
        new,
        once(call, partial(_accepted, living)),
        meters=call.meters(session_id),
        refusal=refusal,
    )
    if isinstance(taken, Replayed):
        return taken.answer, {REPLAYED: "true"}
    return _accepted(living, taken), rate_headers(taken.allowances)


async def _checked(
    call: Call, session_id: SessionId, body: NewMessage
) -> tuple[requests.NewMessage, Living | None, InturnError | None]:
    """Look for the session, and check the rest of the body; what is wrong is told later.

    Whoever was answered before, with the same key, is answered alike.
    """
    living = None
    try:
        living = await call.platform.lifetimes.get(call.principal, session_id)
        return body.to_domain(living.session, call.correlation_id), living, None
    except (NotFound, SessionExpired, Refusal) as refusal:
        nothing = requests.NewMessage(
            session_id=session_id, content="", correlation_id=call.correlation_id
        )
        return nothing, living, refusal


def _accepted(living: Living | None, accepted: Accepted) -> Answer:
    assert living is not None  # noqa: S101  (else it was refused)
    return as_answer(from_accepted(accepted, living), 201, run_id=accepted.run.id)


async def answered(call: Call, given: str, sent: Answer) -> Answer:
    """Wait for the agent's answer, and add it. Raises Refusal where the agent failed."""
    run = await _ended(call, sent.run_id)
    if run is None or run.status not in TERMINAL:
        return sent
    if run.status is not RunStatus.SUCCEEDED:
        raise sending_failed(given, AgentFailed(why(run.status, run.error)))
    body: JsonObject = orjson.loads(sent.body)
    return as_answer(with_answer(body, _response(run)), sent.status, run_id=sent.run_id)


def _response(run: Run) -> JsonObject:
    output = run.output
    if output is None:
        return from_answer("", run.reasoning)
    return from_answer(plain_text(output.content), output.reasoning)


async def _ended(call: Call, run_id: RunId | None) -> Run | None:
    if run_id is None:
        return None
    seconds = min(LONGEST_WAIT_SECONDS, call.platform.settings.sync_wait_seconds)
    # Accepted is accepted: what goes wrong with the waiting is no reason to send it again.
    with suppress(NotFound, Unavailable):
        return await held(call, call.platform.runs.wait(call.principal, run_id, seconds=seconds))
    return None
