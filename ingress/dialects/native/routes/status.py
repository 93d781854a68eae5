"""Polling: one session, or a thousand."""

from fastapi import APIRouter
from starlette.responses import Response

from ingress.call import Call
from ingress.deps import SessionPath, Wait
from ingress.dialects.native.describe import problems
from ingress.dialects.native.polling import CONDITIONAL, after_standings
from ingress.dialects.native.prefer import etag, none_match
from ingress.dialects.native.wire.status import (
    Status,
    Statuses,
    StatusQuery,
    digest,
    from_status,
    from_statuses,
)
from ingress.fields import answer
from ingress.held import held
from ingress.route import StrictRoute
from shared.service.standings import versions_of

router = APIRouter(prefix="/v1", route_class=StrictRoute, tags=["polling"])


@router.get(
    "/sessions/{session_id}/status",
    summary="Poll a session",
    response_model=Status,
    responses=CONDITIONAL | problems(404),
)
async def get_status(call: Call, session_id: SessionPath, wait: Wait = None) -> Response:
    """Read where a session stands, without touching its history.

    Send the last `ETag` as `If-None-Match`; with `wait`, the answer is held until the version
    differs from that one (without it: from the version found now) or the seconds have passed.
    """
    standings, known = call.platform.standings, call.headers.get("if-none-match")
    found = await standings.get(call.principal, session_id)
    if wait and (known is None or not none_match(known, etag(found.version))):
        waiting = standings.wait(call.principal, session_id, version=found.version, seconds=wait)
        found = await held(call, waiting)
    headers = {"ETag": etag(found.version), **after_standings(call, [found])}
    if none_match(known, headers["ETag"]):
        return answer(from_status(found), headers=headers)
    return Response(status_code=304, headers=headers)


@router.post(
    "/status:query",
    summary="Poll many sessions",
    response_model=Statuses,
    responses=CONDITIONAL,
)
async def query_status(call: Call, body: StatusQuery, wait: Wait = None) -> Response:
    """Read where up to 1,000 sessions stand, in the order asked.

    Sessions that do not exist for the caller are `missing`. `If-None-Match` and `wait` work as
    for one session: the answer is held until any of them moves.
    """
    standings, known, asked = call.platform.standings, call.headers.get("if-none-match"), body.asked
    found = await standings.query(call.principal, asked)
    if wait and (known is None or not none_match(known, etag(digest(asked, found)))):
        versions = versions_of(found)
        waiting = standings.wait_for_any(call.principal, asked, versions=versions, seconds=wait)
        found = await held(call, waiting)
    headers = {"ETag": etag(digest(asked, found)), **after_standings(call, found)}
    if none_match(known, headers["ETag"]):
        return answer(from_statuses(asked, found), headers=headers)
    return Response(status_code=304, headers=headers)
