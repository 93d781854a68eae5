"""Runs: read, wait for, stop, try again, resume."""

from fastapi import APIRouter
from starlette.responses import Response

from ingress.call import Call
from ingress.deps import Queried, RunPath, SessionPath, Wait
from ingress.dialects.native.describe import problems
from ingress.dialects.native.polling import POLLED, after_run
from ingress.dialects.native.wire.paging import ListOf, from_listing
from ingress.dialects.native.wire.receipt import run_location
from ingress.dialects.native.wire.run_request import CancelRun, ResumeRun, RetryRun, RunsQuery
from ingress.dialects.native.wire.run_view import (
    RetrievedContext,
    Run,
    from_retrieved,
    from_whole_run,
)
from ingress.fields import answer
from ingress.held import held
from ingress.idempotency import as_answer, once, respond
from ingress.route import StrictRoute
from shared.domain.idempotency import Answer
from shared.domain.printed import from_run
from shared.domain.run import Run as DomainRun

router = APIRouter(prefix="/v1", route_class=StrictRoute, tags=["runs"])


@router.get(
    "/runs/{run_id}",
    summary="Read a run",
    response_model=Run,
    responses=POLLED | problems(404),
)
async def get_run(call: Call, run_id: RunPath, wait: Wait = None) -> Response:
    """Read a run with its attempts, and why it waits.

    With `wait`, the answer is held until the run has ended or waits for a human.
    """
    if wait:
        run = await held(call, call.platform.runs.wait(call.principal, run_id, seconds=wait))
    else:
        run = await call.platform.runs.get(call.principal, run_id)
    return answer(from_whole_run(run), headers=after_run(call, run))


@router.get("/runs", summary="List runs", response_model=ListOf[Run])
async def list_runs(call: Call, query: Queried[RunsQuery]) -> Response:
    """List the runs of all sessions that the caller may see."""
    listing = await call.platform.runs.list(call.principal, query.filters(), query.page())
    return answer(from_listing(listing.map(from_run)))


@router.get(
    "/sessions/{session_id}/runs",
    summary="List a session's runs",
    response_model=ListOf[Run],
    responses=problems(404),
)
async def list_session_runs(
    call: Call, session_id: SessionPath, query: Queried[RunsQuery]
) -> Response:
    filters = query.filters(session_id)
    listing = await call.platform.runs.list(call.principal, filters, query.page())
    return answer(from_listing(listing.map(from_run)))


@router.get(
    "/runs/{run_id}/retrieved-context",
    summary="Read what was retrieved for a run",
    response_model=RetrievedContext,
    responses=problems(404),
)
async def get_retrieved_context(call: Call, run_id: RunPath) -> Response:
    """Read the chunks exactly as the model saw them, and those that were left out."""
    found = await call.platform.runs.retrieved_context(call.principal, run_id)
    return answer(from_retrieved(found))


@router.post(
    "/runs/{run_id}/cancel", summary="Cancel a run", response_model=Run, responses=problems(404)
)
async def cancel_run(call: Call, run_id: RunPath, body: CancelRun | None = None) -> Response:
    """Stop a run: at once if it is queued or waiting; a running one is told to.

    Asking again changes nothing, and a run that has ended is answered as it is.
    """
    call.correlate(body.correlation_id if body else None)
    reason = body.reason if body else None
    run = await call.platform.runs.cancel(call.principal, run_id, reason=reason)
    return answer(from_run(run))


@router.post(
    "/runs/{run_id}/retry",
    summary="Retry a run",
    status_code=202,
    response_model=Run,
    responses=problems(404, 409, 429),
)
async def retry_run(call: Call, run_id: RunPath, body: RetryRun | None = None) -> Response:
    """Answer the same messages again with a new run at the end of the line; `Location` is it."""
    correlation_id = call.correlate(body.correlation_id if body else None)
    retried = await call.platform.runs.retry_once(
        call.principal, run_id, once(call, _queued), correlation_id=correlation_id
    )
    return respond(retried, _queued)


def _queued(run: DomainRun) -> Answer:
    return as_answer(from_run(run), 202, run_location(run.id), run.id)


@router.post(
    "/runs/{run_id}/resume",
    summary="Resume a waiting run",
    response_model=Run,
    responses=problems(404, 409),
)
async def resume_run(call: Call, run_id: RunPath, body: ResumeRun) -> Response:
    """Decide the approvals that a run waits for."""
    call.correlate(body.correlation_id)
    run = await call.platform.runs.resume(call.principal, run_id, body.to_domain())
    return answer(from_run(run))
