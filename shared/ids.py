"""Identity: UUIDv7 values, and their typed spelling (`run_` + 32 hex digits)."""

import re
from typing import NewType
from uuid import UUID

from uuid_utils.compat import uuid7

SessionId = NewType("SessionId", UUID)
MessageId = NewType("MessageId", UUID)
RunId = NewType("RunId", UUID)
AgentId = NewType("AgentId", UUID)
KeyId = NewType("KeyId", UUID)
ScheduleId = NewType("ScheduleId", UUID)
WebhookId = NewType("WebhookId", UUID)
DeliveryId = NewType("DeliveryId", UUID)
WorkerId = NewType("WorkerId", UUID)
PrincipalId = NewType("PrincipalId", UUID)

# UUIDv5 names (agents by name, principals by tenant and user) live below this one.
NAMESPACE = UUID("6f0c7a5e-54b1-5c0e-9a5d-1d5e7a3c9b21")

_DIGITS = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


def new_id() -> UUID:
    """Make a fresh UUIDv7: grows with time, so that indexes stay compact. It orders nothing."""
    return uuid7()


def spell(prefix: str, value: UUID) -> str:
    """Print the typed spelling: `sess` + `_` + 32 hex digits."""
    return f"{prefix}_{value.hex}"


def parse(prefix: str, text: str) -> UUID:
    """Read either spelling, typed or UUID, in any case.

    Raises ValueError for anything else, another noun's prefix included.
    """
    digits = text.lower().removeprefix(f"{prefix}_")
    if not _DIGITS.fullmatch(digits):
        message = f"expected {prefix}_ and 32 hex digits, or a UUID"
        raise ValueError(message)
    return UUID(digits)
