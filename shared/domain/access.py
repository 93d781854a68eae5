"""What a credential opens."""

from dataclasses import dataclass

from shared.domain.principal import Principal
from shared.domain.rates import Meter


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Whose the credential is, and what its requests are charged to, as it is a key's own.

    Kept apart from the principal, who stays the same whichever key it comes with.
    """

    principal: Principal
    meter: Meter | None = None
