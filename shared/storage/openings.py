"""New sessions, many in one statement, with what was said before they began here."""

from collections.abc import Container, Iterable, Iterator, Sequence
from uuid import UUID

from shared.clock import Instant
from shared.domain.lifetime import Lifetime
from shared.domain.message import Role
from shared.domain.requests import Opening
from shared.ids import new_id
from shared.storage.each import insert_each
from shared.storage.lines import Line
from shared.storage.schema import messages, sessions
from shared.storage.store import Transaction

_INSERT = insert_each(
    sessions, "id", "tenant", "user_id", "agent_id", "origin", "metadata", "correlation_id",
    "state", "continued_from", "last_seq", "message_count", "spoken_count", "timeout_minutes",
    "auto_renew", "max_duration_minutes", "warning_threshold_minutes", "expires_at", "warn_at",
    "config", "config_hash", "last_message_at", "created_at", "updated_at", "last_activity_at",
)  # fmt: skip
_SAID_BEFORE = insert_each(
    messages, "id", "session_id", "seq", "turn_seq", "role", "content", "author_id",
    "correlation_id", "created_at",
)  # fmt: skip


def begun(openings: Iterable[Opening], known: Container[UUID], now: Instant) -> dict[UUID, Line]:
    """Return the lines of sessions that are not written yet, but for those that are known.

    Nobody else has heard of them: they need no lock.
    """
    return {each.id: _line(each, now) for each in openings if each.id not in known}


def _line(opening: Opening, now: Instant) -> Line:
    count = len(opening.new.initial_messages)
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
        last_seq=count,
        last_message_at=_instant(now, count),
        queue_depth=0,
        scheduled_depth=0,
        message_count=count,
        spoken_count=count,
        active_run_id=None,
        active_run_status=None,
        last_run_id=None,
        last_run_status=None,
        last_run_error=None,
        last_activity_at=now,
        lifetime=_lifetime(opening, now),
    )


async def open_sessions(
    transaction: Transaction, openings: Sequence[Opening], now: Instant
) -> None:
    """Write all that a new session begins with, as `begun` says; for none, nothing happens."""
    await _INSERT.execute(transaction, [_row(opening, now) for opening in openings])
    said = [row for opening in openings for row in _said_before(opening, now)]
    await _SAID_BEFORE.execute(transaction, said)


def _row(opening: Opening, now: Instant) -> dict[str, object]:
    new, expiry, count = opening.new, opening.new.expiry, len(opening.new.initial_messages)
    lifetime = _lifetime(opening, now)
    return {
        "id": opening.id,
        "tenant": opening.tenant,
        "user_id": new.user_id,
        "agent_id": opening.agent.id,
        "origin": new.origin,
        "metadata": new.metadata,
        "correlation_id": new.correlation_id,
        "state": opening.state,
        "continued_from": new.continue_from,
        "last_seq": count,
        "message_count": count,
        "spoken_count": count,
        "timeout_minutes": expiry and expiry.timeout_minutes,
        "auto_renew": expiry and expiry.auto_renew,
        "max_duration_minutes": expiry and expiry.max_duration_minutes,
        "warning_threshold_minutes": expiry and expiry.warning_threshold_minutes,
        "expires_at": lifetime and lifetime.expires_at,
        "warn_at": lifetime and lifetime.warn_at,
        "config": new.config,
        "config_hash": new.config_hash,
        "last_message_at": _instant(now, count),
        "created_at": now,
        "updated_at": now,
        "last_activity_at": now,
    }


def _lifetime(opening: Opening, now: Instant) -> Lifetime | None:
    return Lifetime.begin(opening.new.expiry, now) if opening.new.expiry else None


def _said_before(opening: Opening, now: Instant) -> Iterator[dict[str, object]]:
    """Give each pair the place of a turn that has ended."""
    turn = 0
    for seq, (role, content) in enumerate(opening.new.initial_messages, start=1):
        asked = role is Role.USER
        turn = seq if asked else turn
        yield {
            "id": new_id(),
            "session_id": opening.id,
            "seq": seq,
            "turn_seq": turn,
            "role": role,
            "content": content,
            "author_id": opening.new.user_id if asked else None,
            "correlation_id": opening.new.correlation_id,
            "created_at": _instant(now, seq),
        }


def _instant(now: Instant, seq: int) -> Instant:
    """Return when the message of this place was stored: each a little later than the last."""
    return Instant(now + max(0, seq - 1))
