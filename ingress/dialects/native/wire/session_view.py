"""Sessions on the wire: what readers see."""

from pydantic import BaseModel

from ingress.fields import Timestamp
from shared.domain.session import SessionStatus


class ContextSize(BaseModel):
    """How much of the conversation the agent sees; null until something measures it."""

    tokens: int | None
    token_budget: int | None
    summarized_through: str | None


class Expiry(BaseModel):
    """When it expires by itself; `expires_at` is when, as things stand."""

    timeout_minutes: float
    auto_renew: bool
    max_duration_minutes: float | None
    warning_threshold_minutes: float | None


class Session(BaseModel):
    """A conversation."""

    id: str
    agent: str
    agent_id: str
    user_id: str | None
    status: SessionStatus
    metadata: dict[str, object]
    version: int
    message_count: int
    queue_depth: int
    context: ContextSize
    expiry: Expiry | None
    created_at: Timestamp
    last_activity_at: Timestamp
    expires_at: Timestamp | None
