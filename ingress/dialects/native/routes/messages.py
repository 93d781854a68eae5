"""Messages in, messages out."""

from contextlib import suppress

import orjson
from fastapi import APIRouter
from starlette.responses import Response

from ingress.call import Call
from ingress.deps import Queried, SessionPath
from ingress.dialects.native.describe import also, problems
from ingress.dialects.native.polling import ACCEPTED, after_run
from ingress.dialects.native.prefer import seconds_to_wait
from ingress.dialects.native.wire.message import (
    Message,
    MessagesQuery,
    NewMessage,
    TracedMessages,
)
from ingress.dialects.native.wire.paging import BY_SEQ, ListOf, from_listing
from ingress.dialects.native.wire.receipt import Receipt, from_receipt, run_location
from ingress.dialects.native.wire.run_view import from_retrieved
from ingress.fields import answer
from ingress.held import held
from ingress.idempotency import REPLAYED, as_answer, once, to_response
from ingress.rates import rate_headers
from ingress.route import StrictRoute
from shared.domain.errors import NotFound, Unavailable
from shared.domain.idempotency import Answer
from shared.domain.jsontypes import Json, JsonObject
from shared.domain.message import Message as DomainMessage
from shared.domain.message import Role
from shared.domain.paging import Listing
from shared.domain.printed import from_message, from_run
from shared.domain.requests import Accepted, Replayed
from shared.domain.run import TERMINAL, RunStatus
from shared.ids import RunId

router = APIRouter(prefix="/v1", route_class=StrictRoute, tags=["messages"])

PATH = "/sessions/{session_id}/messages"
_ANSWERED = TERMINAL | {RunStatus.WAITING}


@router.post(
    PATH,
    summary="Post a message",
    status_code=202,
    response_model=Receipt,
    responses=also(200, Receipt, "The run has ended or waits for a human.")
    | ACCEPTED
    | problems(404, 409, 429),
)
async def post_message(call: Call, session_id: SessionPath, body: NewMessage) -> Response:
    """Accept a message once it and its run are committed to disk; `Location` is the run.

    With `Prefer: wait=N` the answer is held until the run has ended or waits for a human (200),
    or N seconds have passed (202).
    """
    correlation_id = call.correlate(body.correlation_id)
    max_chars = call.platform.settings.max_content_chars
    new = body.to_domain(call.principal, session_id, correlation_id, max_chars)
    taken = await call.platform.intake.accept_once(
        call.principal,
        new,
        once(call, _accepted),
        meters=call.meters(session_id),
        refusal=await call.platform.targets.refusal(new),
    )
    if isinstance(taken, Replayed):
        receipt, headers = taken.answer, {REPLAYED: "true"}
    else:
        receipt, headers = _accepted(taken), rate_headers(taken.allowances)
    if seconds := seconds_to_wait(call.headers.getlist("prefer")):
        headers["Preference-Applied"] = f"wait={seconds}"
        receipt = await _awaited(call, receipt, seconds)
    elif isinstance(taken, Accepted):
        headers |= after_run(call, taken.run)
    return to_response(receipt, headers)


def _accepted(accepted: Accepted) -> Answer:
    run = accepted.run
    body = from_receipt(accepted.message, run, accepted.cancelled_runs)
    return as_answer(body, 202, run_location(run.id), run.id)


async def _awaited(call: Call, receipt: Answer, seconds: int) -> Answer:
    """Return the receipt with the run as it is once it has ended or waits, or time is up."""
    if receipt.run_id is None:
        return receipt
    # Accepted is accepted: what goes wrong with the waiting is no reason to post it again.
    with suppress(NotFound, Unavailable):
        waiting = call.platform.runs.wait(call.principal, receipt.run_id, seconds=seconds)
        run = await held(call, waiting)
        body = orjson.loads(receipt.body) | {"run": from_run(run)}
        status = 200 if run.status in _ANSWERED else 202
        return as_answer(body, status, receipt.location, run.id)
    return receipt


@router.get(
    PATH,
    summary="List a session's messages",
    response_model=ListOf[Message],
    responses=problems(404),
)
async def list_session_messages(
    call: Call, session_id: SessionPath, query: Queried[MessagesQuery]
) -> Response:
    """List in order of the conversation; `include=tools` shows the tool messages too."""
    filters, page = query.filters(session_id), query.page(BY_SEQ)
    listing = await call.platform.messages.list(call.principal, filters, page)
    return answer(from_listing(await _printed(call, listing, query.included)))


@router.get("/messages", summary="List messages of all sessions", response_model=ListOf[Message])
async def list_messages(call: Call, query: Queried[TracedMessages]) -> Response:
    """List the messages of one piece of work, in whichever sessions they are."""
    listing = await call.platform.messages.list(call.principal, query.filters(), query.page())
    return answer(from_listing(await _printed(call, listing, query.included)))


async def _printed(
    call: Call, listing: Listing[DomainMessage], included: frozenset[str]
) -> Listing[Json]:
    contexts: dict[RunId, JsonObject] = {}
    if "retrieved_context" in included:
        for message in listing.data:
            if message.role is Role.ASSISTANT and message.run_id is not None:
                found = await call.platform.runs.retrieved_context(call.principal, message.run_id)
                contexts[message.run_id] = from_retrieved(found)
    return listing.map(
        lambda each: from_message(
            each,
            included,
            contexts.get(each.run_id) if each.run_id and each.role is Role.ASSISTANT else None,
        )
    )
