"""Sessions on the wire: requests and queries."""

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from ingress.content import ContentField, to_content
from ingress.deps import MaybeInstant, id_schema, reader, to_instant
from ingress.dialects.native.wire.fields import Body
from ingress.dialects.native.wire.paging import NewestFirst
from ingress.fields import CorrelationId, Metadata, Name, UserId, json_object
from shared.domain import requests
from shared.domain.errors import ValidationFailed
from shared.domain.lifetime import Expiry
from shared.domain.message import Content, Role
from shared.domain.session import SessionStatus
from shared.ids import SessionId

MAX_INITIAL_MESSAGES = 200

Minutes = Annotated[int, Field(ge=1, le=525_600)]


class NewExpiry(BaseModel):
    """When the session expires; this contract serves it all the same.

    With `auto_renew` every message puts it off, by `timeout_minutes` and no further than
    `max_duration_minutes` after the session began.
    """

    model_config = ConfigDict(strict=True, extra="forbid")

    timeout_minutes: Minutes
    auto_renew: bool = True
    max_duration_minutes: Minutes | None = None
    warning_threshold_minutes: Annotated[int, Field(ge=0, le=525_600)] | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if (self.max_duration_minutes or self.timeout_minutes) < self.timeout_minutes:
            message = "`max_duration_minutes` is less than `timeout_minutes`"
            raise ValueError(message)
        return self

    def to_domain(self) -> Expiry:
        return Expiry(**self.model_dump())


class InitialMessage(BaseModel):
    """A message that was said elsewhere."""

    model_config = ConfigDict(strict=True, extra="forbid")

    role: Literal["user", "assistant"]
    content: ContentField


class NewSession(Body):
    """A conversation to open with an agent, which is named by id or name.

    With `continue_from` it goes on from another session: with its state, its agent and its user.
    """

    model_config = ConfigDict(
        json_schema_extra={"example": {"agent": "echo", "user_id": "u-1", "metadata": {}}}
    )

    agent: Annotated[
        Name | None, Field(description="May be left out with `continue_from` only.")
    ] = None
    user_id: UserId | None = None
    metadata: Metadata = Field(default_factory=dict)
    expiry: NewExpiry | None = None
    initial_messages: Annotated[
        list[InitialMessage],
        Field(
            max_length=MAX_INITIAL_MESSAGES,
            description="What was said elsewhere: pairs of a `user` and an `assistant` message.",
        ),
    ] = Field(default_factory=list)
    continue_from: (
        Annotated[SessionId, BeforeValidator(reader("sess")), id_schema("sess")] | None
    ) = None

    def to_domain(self, correlation_id: str, max_chars: int) -> requests.NewSession:
        if self.agent is None and self.continue_from is None:
            raise ValidationFailed.of(("body", "agent"), "is required")
        return requests.NewSession(
            agent=self.agent,
            user_id=self.user_id,
            metadata=json_object(self.metadata),
            correlation_id=correlation_id,
            initial_messages=tuple(self._initial_messages(max_chars)),
            expiry=self.expiry.to_domain() if self.expiry else None,
            continue_from=self.continue_from,
        )

    def _initial_messages(self, max_chars: int) -> Iterator[tuple[Role, Content]]:
        """Translate pairs; each begins with the user."""
        if len(self.initial_messages) % 2:
            problem = "must be pairs: the last one has no answer"
            raise ValidationFailed.of(("body", "initial_messages"), problem)
        for index, said in enumerate(self.initial_messages):
            loc = ("body", "initial_messages", index)
            role = Role.ASSISTANT if index % 2 else Role.USER
            if said.role != role:
                raise ValidationFailed.of((*loc, "role"), f"must be {role} here")
            yield role, to_content(said.content, max_chars, (*loc, "content"))


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
