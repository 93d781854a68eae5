"""Schedules: messages that come again and again."""

from fastapi import APIRouter
from starlette.responses import Response

from ingress.call import Call
from ingress.deps import Queried, SchedulePath
from ingress.dialects.native.describe import problems
from ingress.dialects.native.wire.fields import Command
from ingress.dialects.native.wire.paging import ListOf, from_listing
from ingress.dialects.native.wire.schedule import (
    NewSchedule,
    Schedule,
    SchedulesQuery,
    from_schedule,
    schedule_location,
)
from ingress.fields import answer
from ingress.idempotency import as_answer, once, respond
from ingress.route import StrictRoute
from shared.domain.idempotency import Answer
from shared.domain.schedule import Schedule as DomainSchedule

router = APIRouter(prefix="/v1/schedules", route_class=StrictRoute, tags=["schedules"])


@router.post(
    "",
    summary="Repeat a message",
    status_code=201,
    response_model=Schedule,
    responses=problems(404, 409),
)
async def create_schedule(call: Call, body: NewSchedule) -> Response:
    """Post a message to a session whenever a cron expression is due; `Location` is the schedule.

    It goes by the clock of its time zone. A fixed time that the clock skips is due when the clock
    has jumped, one that it shows twice is due the first time; with `*` as minute or hour, time is
    what passes. Its messages come in as the caller's, with its correlation id.
    """
    correlation_id = call.correlate(body.correlation_id)
    max_chars = call.platform.settings.max_content_chars
    new = body.to_domain(call.principal, correlation_id, max_chars)
    callback = ("body", "message", "callback_url")
    await call.platform.targets.check_callback(new.message, callback)
    made = await call.platform.schedules.create_once(call.principal, new, once(call, _made))
    return respond(made, _made)


def _made(schedule: DomainSchedule) -> Answer:
    return as_answer(from_schedule(schedule), 201, schedule_location(schedule.id))


@router.get("", summary="List schedules", response_model=ListOf[Schedule])
async def list_schedules(call: Call, query: Queried[SchedulesQuery]) -> Response:
    """List those of the sessions that the caller may see, or of one session."""
    schedules = call.platform.schedules
    listing = await schedules.list(call.principal, query.session_id, query.page())
    return answer(from_listing(listing.map(from_schedule)))


@router.get(
    "/{schedule_id}", summary="Read a schedule", response_model=Schedule, responses=problems(404)
)
async def get_schedule(call: Call, schedule_id: SchedulePath) -> Response:
    schedule = await call.platform.schedules.get(call.principal, schedule_id)
    return answer(from_schedule(schedule))


@router.post(
    "/{schedule_id}/pause",
    summary="Pause a schedule",
    response_model=Schedule,
    responses=problems(404),
)
async def pause_schedule(
    call: Call, schedule_id: SchedulePath, body: Command | None = None
) -> Response:
    """Send nothing until it is resumed; what was sent goes on. Asking again changes nothing."""
    call.correlate(body.correlation_id if body else None)
    schedule = await call.platform.schedules.pause(call.principal, schedule_id)
    return answer(from_schedule(schedule))


@router.post(
    "/{schedule_id}/resume",
    summary="Resume a schedule",
    response_model=Schedule,
    responses=problems(404),
)
async def resume_schedule(
    call: Call, schedule_id: SchedulePath, body: Command | None = None
) -> Response:
    """Go on; `missed` says what becomes of the times in between."""
    call.correlate(body.correlation_id if body else None)
    schedule = await call.platform.schedules.resume(call.principal, schedule_id)
    return answer(from_schedule(schedule))


@router.delete(
    "/{schedule_id}", summary="Delete a schedule", status_code=204, responses=problems(404)
)
async def delete_schedule(call: Call, schedule_id: SchedulePath) -> Response:
    """End a schedule; what it sent stays."""
    await call.platform.schedules.delete(call.principal, schedule_id)
    return Response(status_code=204)
