"""How long sessions live, as `sessions` says it."""

from shared.domain.lifetime import Expiry, Lifetime
from shared.storage.types import AnyRow


def to_lifetime(row: AnyRow) -> Lifetime | None:
    """Read what `sessions` say of a policy, if there is one."""
    if row.timeout_minutes is None:
        return None
    return Lifetime(
        expiry=Expiry(
            timeout_minutes=row.timeout_minutes,
            auto_renew=bool(row.auto_renew),
            max_duration_minutes=row.max_duration_minutes,
            warning_threshold_minutes=row.warning_threshold_minutes,
        ),
        begun_at=row.created_at,
        expires_at=row.expires_at,
        renewal_count=row.renewal_count,
        warned_at=row.warned_at,
        expired_at=row.expired_at,
    )
