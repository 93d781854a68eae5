"""Sessions on the wire: requests and queries."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from ingress.deps import MaybeInstant, to_instant
from ingress.dialects.native.wire.content import ContentField
from ingress.dialects.native.wire.fields import (
    Body,
    CorrelationId,
    Metadata,
    Name,
    UserId,
    json_object,
    refuse_unbuilt,
)
from ingress.dialects.native.wire.paging import NewestFirst
from shared.domain import requests
from shared.domain.session import SessionStatus

_UNBUILT = frozenset({"expiry", "initial_messages", "continue_from"})


class Expiry(BaseModel):
    """When the session ends by itself."""

    model_config = ConfigDict(strict=True, extra="forbid")

    timeout_minutes: Annotated[int, Field(ge=1, le=525_600)] | None = None
    auto_renew: bool | None = None
    max_duration_minutes: Annotated[int, Field(ge=1, le=525_600)] | None = None
    warning_threshold_minutes: Annotated[int, Field(ge=0, le=525_600)] | None = None


class InitialMessage(BaseModel):
    """A message that was said elsewhere."""

    model_config = ConfigDict(strict=True, extra="forbid")

    role: Literal["user", "assistant"]
    content: ContentField


class NewSession(Body):
    """A conversation to open with an agent, which is named by id or name."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"agent": "echo", "user_id": "u-1", "metadata": {}}}
    )

    agent: Name
    user_id: UserId | None = None
    metadata: Metadata = Field(default_factory=dict)
    expiry: Expiry | None = None
    initial_messages: list[InitialMessage] = Field(default_factory=list, max_length=200)
    continue_from: Annotated[str, Field(max_length=64)] | None = None

    def to_domain(self, correlation_id: str) -> requests.NewSession:
        refuse_unbuilt(self, _UNBUILT)
        return requests.NewSession(
            agent=self.agent,
            user_id=self.user_id,
            metadata=json_object(self.metadata),
            correlation_id=correlation_id,
        )


class SessionsQuery(NewestFirst):
    """Which sessions."""

    agent: Name | None = None
    user_id: UserId | None = None
    status: SessionStatus | None = None
    correlation_id: CorrelationId | None = None
    created_after: MaybeInstant = None
    created_before: MaybeInstant = None

    def filters(self) -> requests.SessionFilter:
        return requests.SessionFilter(
            agent=self.agent,
            user_id=self.user_id,
            status=self.status,
            correlation_id=self.correlation_id,
            created_after=to_instant(self.created_after),
            created_before=to_instant(self.created_before),
        )
