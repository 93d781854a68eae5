"""The invariants, asked of the database: each finding names the row that breaks one."""

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.domain.event import EventType
from shared.domain.findings import Finding
from shared.domain.run import LIVE, TERMINAL, Dispatch, RunStatus
from shared.storage.schema import one_of

_MOST = 100
_TERMINAL = one_of("r.status", TERMINAL)
_LIVE = one_of("r.status", LIVE)
_OLDER = "FROM runs o WHERE o.session_id = r.session_id AND o.settled_at IS NULL"
_IS_HEAD = f"r.seq = (SELECT min(o.seq) {_OLDER})"
_HAS_OLDER = f"EXISTS (SELECT 1 {_OLDER} AND o.seq < r.seq)"
_HAS_LIVE_TWIN = f"EXISTS (SELECT 1 {_OLDER} AND o.id <> r.id AND {one_of('o.status', LIVE)})"
# By session, for messages have no index by run.
_ANSWERS = (
    "FROM messages m WHERE m.session_id = r.session_id AND m.run_id = r.id AND m.role = 'assistant'"
)
_ANSWERED = f"(SELECT count(*) {_ANSWERS})"
_SUCCEEDED = f"r.status = '{RunStatus.SUCCEEDED}'"
_EVENT = "FROM run_events e WHERE e.run_id = r.id AND e.number"
_SAID_SO = f"EXISTS (SELECT 1 {_EVENT} = r.event_count AND e.type = '{EventType.RUN_SETTLED}')"
_LEAVING = one_of("r.dispatch", [Dispatch.READY, Dispatch.ANNOUNCED])

# (invariant, what is wrong with the run, the runs `r` of which it is true)
_RUN_CHECKS = (
    (2, "terminal unlike settled", f"({_TERMINAL}) <> (settled_at IS NOT NULL)"),
    (3, "live beside another live run of its session", f"{_LIVE} AND {_HAS_LIVE_TWIN}"),
    (3, "live before an older run has ended", f"{_LIVE} AND {_HAS_OLDER}"),
    (3, "head of its line and yet blocked", f"dispatch = '{Dispatch.BLOCKED}' AND {_IS_HEAD}"),
    (3, "announced before an older run has ended", f"{_LEAVING} AND {_HAS_OLDER}"),
    (5, "succeeded without exactly one answer", f"{_SUCCEEDED} AND {_ANSWERED} <> 1"),
    (
        5,
        "succeeded with an output that is not its answer",
        f"{_SUCCEEDED} AND NOT EXISTS (SELECT 1 {_ANSWERS} AND m.id = r.output_message_id)",
    ),
    (5, "an event beyond its count", f"EXISTS (SELECT 1 {_EVENT} > r.event_count)"),
    (
        5,
        "settled without an event that says so",
        f"settled_at IS NOT NULL AND event_count > 0 AND NOT {_SAID_SO}",
    ),
)  # fmt: skip

_DEPTH = (
    "SELECT s.id FROM sessions s WHERE s.deleted_at IS NULL AND s.queue_depth <> "
    "(SELECT count(*) FROM runs r WHERE r.session_id = s.id AND r.settled_at IS NULL "
    f"AND r.status = '{RunStatus.QUEUED}')"
)
_SCHEDULED_DEPTH = (
    "SELECT s.id FROM sessions s WHERE s.deleted_at IS NULL AND s.scheduled_depth <> "
    "(SELECT count(*) FROM runs r WHERE r.session_id = s.id AND r.settled_at IS NULL "
    f"AND r.status = '{RunStatus.QUEUED}' AND r.seq IS NULL)"
)
# (what is wrong with the session, the sessions of which it is true)
_SESSION_CHECKS = (
    ("queue_depth that is not the number of its queued runs", _DEPTH),
    ("scheduled_depth that is not the number of its runs without a place", _SCHEDULED_DEPTH),
)


async def examine(reading: AsyncConnection) -> list[Finding]:
    """Check invariants 2, 3 and 5; at most 100 findings of each kind."""
    findings: list[Finding] = []
    for invariant, problem, condition in _RUN_CHECKS:
        query = f"SELECT r.id FROM runs r WHERE {condition}"
        findings += await _find(reading, invariant, "runs", problem, query)
    for problem, query in _SESSION_CHECKS:
        findings += await _find(reading, 3, "sessions", problem, query)
    return findings


async def _find(
    reading: AsyncConnection, invariant: int, table: str, problem: str, query: str
) -> list[Finding]:
    rows = await reading.execute(sa.text(f"{query} LIMIT {_MOST}").columns(id=sa.Uuid))
    return [
        Finding(invariant=invariant, table=table, id=row_id, problem=problem)
        for row_id in rows.scalars()
    ]
