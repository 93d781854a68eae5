"""New sessions, many in one statement."""

from collections.abc import Sequence

from shared.clock import Instant
from shared.domain.requests import Opening
from shared.storage.each import insert_each
from shared.storage.schema import sessions
from shared.storage.store import Transaction

_INSERT = insert_each(
    sessions, "id", "tenant", "user_id", "agent_id", "origin", "metadata", "correlation_id",
    "last_message_at", "created_at", "updated_at", "last_activity_at",
)  # fmt: skip


async def open_sessions(
    transaction: Transaction, openings: Sequence[Opening], now: Instant
) -> None:
    """Write all that a new session begins with; for none, nothing happens."""
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
