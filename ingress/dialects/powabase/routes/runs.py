"""Running an agent: ask and wait, ask and listen, decide, look."""

from fastapi import APIRouter
from starlette.responses import Response

from ingress.call import Call
from ingress.dialects.powabase.asking import awaited, post, turn_of
from ingress.dialects.powabase.describe import Responses, problems
from ingress.dialects.powabase.streaming import stream
from ingress.dialects.powabase.wire import run, spelling
from ingress.dialects.powabase.wire.error import NothingToDecide
from ingress.dialects.powabase.wire.result import Late, RunResult
from ingress.dialects.powabase.wire.run_request import Approve, RunAgent, read
from ingress.dialects.powabase.wire.spelling import AgentPath, RunPath
from ingress.fields import answer
from ingress.route import LenientRoute
from ingress.sse import MEDIA_TYPE, EventStream
from shared.domain.errors import NotFound, NotWaiting, ValidationFailed
from shared.domain.requests import Decision
from shared.domain.run import Run, RunStatus

router = APIRouter(prefix="/api/agents", route_class=LenientRoute, tags=["runs"])

_LATE: Responses = {504: {"model": Late, "description": "Time is up, and the run goes on."}}
_STREAM: Responses = {
    200: {
        "description": "Unnamed server-sent events; the kind of each is its `event`. `start` is "
        "the first, `complete` the last.",
        "content": {MEDIA_TYPE: {}},
    }
}


@router.get("/runs/{run_id}", summary="Read a run", response_model=run.Run, responses=problems(404))
async def get_run(call: Call, run_id: RunPath) -> Response:
    found = await call.platform.runs.get(call.principal, spelling.run_id(run_id))
    return answer(run.from_turn(await turn_of(call, found)))


@router.post(
    "/runs/{run_id}/approve",
    summary="Approve or reject",
    response_model=run.Resumed,
    responses=problems(404),
)
async def approve(call: Call, run_id: RunPath, body: Approve | None = None) -> Response:
    """Decide on every tool call that a run waits for; it then goes on."""
    approved = (body or Approve()).word()
    try:
        found = await call.platform.runs.get(call.principal, spelling.run_id(run_id))
        decisions = _decisions(found, approved=approved)
        await call.platform.runs.resume(call.principal, found.id, decisions)
    except (NotFound, NotWaiting, ValidationFailed):  # others may have decided since
        raise NothingToDecide from None
    return answer({"status": "resumed"})


def _decisions(waiting: Run, *, approved: bool) -> tuple[Decision, ...]:
    if waiting.status is not RunStatus.WAITING:
        raise NothingToDecide
    pending = (each for each in waiting.approvals if each.approved is None)
    return tuple(Decision(call_id=each.call_id, approved=approved) for each in pending)


@router.post(
    "/{agent_id}/run",
    summary="Ask and wait",
    response_model=RunResult,
    responses=_LATE | problems(404, 429),
)
async def run_agent(call: Call, agent_id: AgentPath, body: RunAgent | None = None) -> Response:
    """Ask an agent and wait for the answer, behind what the session was asked before.

    A run that failed is 200 with `status: failed`. Past `timeout_seconds` it is 504, and the run
    goes on.
    """
    asked = read(body or RunAgent(), call.platform.settings.max_content_chars, streams=False)
    return await awaited(call, await post(call, agent_id, asked), asked.seconds)


@router.post(
    "/{agent_id}/run/stream",
    summary="Ask and listen",
    response_model=None,
    responses=_STREAM | problems(404, 429),
)
async def stream_run(call: Call, agent_id: AgentPath, body: RunAgent | None = None) -> EventStream:
    """Ask an agent and hear what it says while it says it.

    Besides `start` and `complete` there are `step_started`, `content_delta`, `reasoning_delta`,
    `tool_call`, `tool_result`, `reasoning`, `approval_requested`, `step_completed`, `chunk`,
    `error`, and `step_reset`, which voids what was said since the first step began.
    """
    asked = read(body or RunAgent(), call.platform.settings.max_content_chars, streams=True)
    posted = await post(call, agent_id, asked)
    return stream(call, posted)
