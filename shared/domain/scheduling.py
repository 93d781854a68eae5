"""When a message may be answered: not before one instant, not after another."""

from shared.clock import Instant, after
from shared.domain.errors import ValidationFailed
from shared.domain.requests import NewMessage
from shared.domain.run import OnBusy

FURTHEST_DAYS = 366  # the same day of next year, whichever year it is


def due_at(new: NewMessage, now: Instant) -> Instant | None:
    """Return when the message's run takes its place in the line; null is at once.

    Raises ValidationFailed for times that cannot be kept.
    """
    if new.deadline is not None and new.deadline <= max(now, new.not_before or now):
        msg = "must be in the future and after `not_before`"
        raise ValidationFailed.of(("body", "deadline"), msg)
    if new.not_before is None:
        return None
    if new.on_busy is not OnBusy.ENQUEUE:
        # What is in the line when it is posted need not be there when it is due.
        msg = "only `enqueue` goes with `not_before`"
        raise ValidationFailed.of(("body", "on_busy"), msg)
    if new.not_before > after(now, FURTHEST_DAYS * 24 * 3600):
        raise ValidationFailed.of(("body", "not_before"), "at most one year ahead")
    return new.not_before if new.not_before > now else None
