"""What a batch of messages is charged to: found and locked before any session is."""

from collections.abc import Sequence
from dataclasses import replace

import sqlalchemy as sa

from shared.domain.principal import Principal, Scope
from shared.domain.rates import Meter, user_subject
from shared.storage.intake_rows import Intake
from shared.storage.meters import Meters
from shared.storage.schema import sessions
from shared.storage.store import Transaction
from shared.storage.types import any_of

# Neither ever changes, so they need no lock.
_OWNERS = sa.select(sessions.c.id, sessions.c.tenant, sessions.c.user_id).where(
    any_of(sessions.c.id, "ids"), sessions.c.user_id.is_not(None)
)


async def lock_meters(transaction: Transaction, intakes: Sequence[Intake]) -> Meters:
    """Lock the meters of these messages; where nothing is metered, do nothing."""
    await _name_users(transaction, intakes)
    return await Meters.lock(transaction, [meter for each in intakes for meter in each.meters])


async def _name_users(transaction: Transaction, intakes: Sequence[Intake]) -> None:
    """Say whose the meters are that are the session's user's; nobody's is none."""
    open_ = [each for each in intakes if any(meter.subject is None for meter in each.meters)]
    if not open_:
        return
    ids = {each.new.session_id for each in open_}
    subjects = {
        row.id: _subject(row.tenant, row.user_id)
        for row in await transaction.execute(_OWNERS, {"ids": ids})
    }
    for opening in (each.opening for each in open_ if each.opening):
        if opening.new.user_id is not None:
            subjects[opening.id] = _subject(opening.tenant, opening.new.user_id)
    for each in open_:
        subject = subjects.get(each.new.session_id)
        named = (_named(meter, subject) for meter in each.meters)
        each.meters = tuple(meter for meter in named if meter is not None)


def _named(meter: Meter, subject: str | None) -> Meter | None:
    if meter.subject is not None:
        return meter
    return replace(meter, subject=subject) if subject else None


def _subject(tenant: str, user_id: str) -> str:
    owner = Principal(tenant=tenant, user_id=user_id, scope=Scope.USER)
    return user_subject(owner.id)
