"""Operations: what admins see of the whole, and their hand on it."""

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import Response

from ingress.call import Call
from ingress.deps import Queried
from ingress.dialects.native.describe import problems
from ingress.dialects.native.wire.fields import Command
from ingress.dialects.native.wire.ops import (
    BoundPool,
    Examination,
    Overview,
    Pool,
    Pools,
    Worker,
    WorkersQuery,
    from_examination,
    from_overview,
    from_pool,
    from_worker,
)
from ingress.dialects.native.wire.paging import ListOf, from_listing
from ingress.dialects.native.wire.selection import CancelRuns, RetryRuns, Tally, from_tally
from ingress.fields import answer
from ingress.route import AdminRoute

router = APIRouter(prefix="/v1/ops", route_class=AdminRoute, tags=["operations"])

PoolPath = Annotated[str, Path(max_length=200, description="Its name.")]


@router.get(
    "/overview", summary="See how it stands", response_model=Overview, responses=problems(403)
)
async def get_overview(call: Call) -> Response:
    """Read what is unfinished, who works, and whether database and broker answer."""
    return answer(from_overview(await call.platform.operations.overview()))


@router.get(
    "/workers", summary="List workers", response_model=ListOf[Worker], responses=problems(403)
)
async def list_workers(call: Call, query: Queried[WorkersQuery]) -> Response:
    """List worker processes: the live ones, unless `state` asks for others."""
    listing = await call.platform.operations.workers(query.state, query.page())
    return answer(from_listing(listing.map(from_worker)))


@router.get("/pools", summary="List pools", response_model=Pools, responses=problems(403))
async def list_pools(call: Call) -> Response:
    """List every pool with what waits, what runs and who serves it."""
    pools = await call.platform.pools.list()
    return answer({"data": list(map(from_pool, pools)), "next_cursor": None})


@router.patch(
    "/pools/{pool}", summary="Bound a pool", response_model=Pool, responses=problems(403, 404)
)
async def bound_pool(call: Call, pool: PoolPath, body: BoundPool) -> Response:
    """Say how many runs of a pool may run at once; what runs above that goes on to its end."""
    call.correlate(body.correlation_id)
    return answer(from_pool(await call.platform.pools.limit(pool, body.max_running)))


@router.post(
    "/pools/{pool}/pause", summary="Pause a pool", response_model=Pool, responses=problems(403, 404)
)
async def pause_pool(call: Call, pool: PoolPath, body: Command | None = None) -> Response:
    """Start none of its runs until it is resumed; they are still accepted, what runs goes on."""
    call.correlate(body.correlation_id if body else None)
    return answer(from_pool(await call.platform.pools.pause(pool)))


@router.post(
    "/pools/{pool}/resume",
    summary="Resume a pool",
    response_model=Pool,
    responses=problems(403, 404),
)
async def resume_pool(call: Call, pool: PoolPath, body: Command | None = None) -> Response:
    """Start its runs again, at once."""
    call.correlate(body.correlation_id if body else None)
    return answer(from_pool(await call.platform.pools.resume(pool)))


@router.post(
    "/runs:cancel", summary="Cancel many runs", response_model=Tally, responses=problems(403, 404)
)
async def cancel_runs(call: Call, body: CancelRuns) -> Response:
    """Cancel unfinished runs by what they have in common, up to `limit` a call."""
    selection = body.to_domain()
    tally = await call.platform.bulk.cancel(call.principal, selection, reason=body.reason)
    return answer(from_tally(tally))


@router.post(
    "/runs:retry", summary="Retry many runs", response_model=Tally, responses=problems(403, 404)
)
async def retry_runs(call: Call, body: RetryRuns) -> Response:
    """Queue runs that failed again, oldest first, each for its caller and at the end of its line.

    Those that were retried already are left out, and so are those of sessions that have ended
    or whose queue is full.
    """
    return answer(from_tally(await call.platform.bulk.retry(call.principal, body.to_domain())))


@router.get(
    "/doctor", summary="Ask the doctor", response_model=Examination, responses=problems(403)
)
async def examine(call: Call) -> Response:
    """Look for rows that break an invariant, and tell how much there is and how old it is."""
    return answer(from_examination(await call.platform.operations.examine()))
