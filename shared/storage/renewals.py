"""What callers change about how long a session lives: renew, heartbeat, reschedule.

Each locks the session's line and decides by the database's clock, read after the lock.
"""

from collections.abc import Callable

import sqlalchemy as sa

from shared.clock import Instant
from shared.domain.errors import NotFound, RenewalRefused
from shared.domain.lifetime import Expiry, Lifetime
from shared.domain.living import Visibility
from shared.domain.principal import Principal
from shared.domain.session import Session
from shared.ids import SessionId
from shared.storage.expiry import save
from shared.storage.lines import Line, finish, lock_lines
from shared.storage.schema import sessions
from shared.storage.sessions import fetch
from shared.storage.store import Store, Transaction

_COUNT = (
    sessions.update()
    .where(sessions.c.id == sa.bindparam("_id"))
    .values(renewal_count=sessions.c.renewal_count + 1)
)


async def lock_unended(
    transaction: Transaction, principal: Principal, session_id: SessionId
) -> Line:
    """Lock the line of a session that has not ended. Raises NotFound."""
    line = (await lock_lines(transaction, [session_id])).get(session_id)
    if line is None or line.deleted_at or line.ended_at is not None:
        raise NotFound("session")
    if not principal.sees(line.tenant, line.user_id):
        raise NotFound("session")
    return line


async def renew(
    store: Store,
    transaction: Transaction,
    principal: Principal,
    session_id: SessionId,
    visibility: Visibility,
) -> tuple[Session, Instant]:
    """Put the end off, whatever the policy says of messages.

    Raises NotFound, SessionExpired, and RenewalRefused where the end was the last one possible.
    """
    line = await lock_unended(transaction, principal, session_id)
    now = await store.now(transaction)
    if line.lifetime is None:
        await transaction.execute(_COUNT, {"_id": session_id})
    else:
        visibility.check_seen(line.lifetime, now)
        if line.lifetime.capped and line.lifetime.over(now):
            raise RenewalRefused(session_id, line.lifetime, now)
        visibility.check(session_id, line.lifetime, now)
        line.lifetime = line.lifetime.renewed(now)
    line.last_activity_at = now
    return await _written(transaction, principal, line, now)


async def heartbeat(
    store: Store,
    transaction: Transaction,
    principal: Principal,
    session_id: SessionId,
    visibility: Visibility,
) -> tuple[Session, Instant]:
    """Note that somebody is there; it renews what messages would. Raises like `renew`."""
    line = await lock_unended(transaction, principal, session_id)
    now = await store.now(transaction)
    visibility.check(session_id, line.lifetime, now)
    if line.lifetime and line.lifetime.expiry.auto_renew:
        line.lifetime = line.lifetime.renewed(now)
    line.last_activity_at = now
    return await _written(transaction, principal, line, now)


async def reschedule(
    store: Store,
    transaction: Transaction,
    principal: Principal,
    session_id: SessionId,
    visibility: Visibility,
    policy: Callable[[Expiry | None], Expiry],
) -> tuple[Session, Instant]:
    """Have a session live by another policy, made of its present one, if it has one.

    Raises NotFound, SessionExpired, and what `policy` raises.
    """
    line = await lock_unended(transaction, principal, session_id)
    now = await store.now(transaction)
    visibility.check(session_id, line.lifetime, now)
    session = await fetch(transaction, principal, session_id)
    assert session is not None  # noqa: S101  (it is locked, and seen)
    expiry = policy(session.expiry)
    before = session.lifetime or unbound(expiry, session, now)
    line.lifetime = before.under(expiry, session.last_activity_at, now)
    return await _written(transaction, principal, line, now)


def unbound(expiry: Expiry, session: Session, now: Instant) -> Lifetime:
    """Show a session that has no policy as if it lived by one, and were renewed right now."""
    return Lifetime(
        expiry=expiry,
        begun_at=session.created_at,
        expires_at=expiry.lasting(now),
        renewal_count=session.renewal_count,
    )


async def _written(
    transaction: Transaction, principal: Principal, line: Line, now: Instant
) -> tuple[Session, Instant]:
    line.moved = True
    await save(transaction, [line])
    await finish(transaction, [line], now)
    session = await fetch(transaction, principal, line.id)
    assert session is not None  # noqa: S101  (it is locked, and seen)
    return session, now
