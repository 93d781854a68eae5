"""New sessions, many in one statement."""

from collections.abc import Container, Iterable, Sequence
from uuid import UUID

from shared.clock import Instant
from shared.domain.requests import Opening
from shared.storage.each import insert_each
from shared.storage.lines import Line
from shared.storage.schema import sessions
from shared.storage.store import Transaction

_INSERT = insert_each(
    sessions, "id", "tenant", "user_id", "agent_id", "origin", "metadata", "correlation_id",
    "last_message_at", "created_at", "updated_at", "last_activity_at",
)  # fmt: skip


def begun(openings: Iterable[Opening], known: Container[UUID], now: Instant) -> dict[UUID, Line]:
    """Return the lines of sessions that are not written yet, but for those that are known.

    Nobody else has heard of them: they need no lock.
    """
    return {each.id: _line(each, now) for each in openings if each.id not in known}


def _line(opening: Opening, now: Instant) -> Line:
    return Line(
        id=opening.id,
        tenant=opening.tenant,
        user_id=opening.new.user_id,
        agent_id=opening.agent.id,
        agent=opening.agent.name,
        pool=opening.agent.pool,
        max_attempts=opening.agent.retry.max_attempts,
        ended_at=None,
        deleted_at=None,
        version=1,
        last_seq=0,
        last_message_at=now,
        queue_depth=0,
        scheduled_depth=0,
        message_count=0,
        active_run_id=None,
        active_run_status=None,
        last_run_id=None,
        last_run_status=None,
        last_run_error=None,
        last_activity_at=now,
    )


async def open_sessions(
    transaction: Transaction, openings: Sequence[Opening], now: Instant
) -> None:
    """Write all that a new session begins with, as `begun` says; for none, nothing happens."""
    await _INSERT.execute(transaction, [_row(opening, now) for opening in openings])


def _row(opening: Opening, now: Instant) -> dict[str, object]:
    return {
        "id": opening.id,
        "tenant": opening.tenant,
        "user_id": opening.new.user_id,
        "agent_id": opening.agent.id,
        "origin": opening.new.origin,
        "metadata": opening.new.metadata,
        "correlation_id": opening.new.correlation_id,
        "last_message_at": now,
        "created_at": now,
        "updated_at": now,
        "last_activity_at": now,
    }
