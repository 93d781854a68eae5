"""Keys on the wire: the secret is shown once, by the route that makes it."""

from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from ingress.deps import MaybeInstant, to_instant
from ingress.dialects.native.wire.fields import Body
from ingress.fields import Name, Timestamp, UserId
from shared.clock import wall
from shared.domain import requests
from shared.domain.agent import MAX_RUNNING
from shared.domain.errors import ValidationFailed
from shared.domain.principal import DEFAULT_TENANT, MAX_OVERLAP_SECONDS, Scope
from shared.domain.rates import RATE_ALLOWED, parse_rate

Tenant = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[\x21-\x7e]*$")]


def _rate(text: str) -> str:
    parse_rate(text)
    return text


RateLimit = Annotated[
    str,
    AfterValidator(_rate),
    Field(
        max_length=64,
        description=f"How often it may post messages: {RATE_ALLOWED}. Wins over the server's.",
        examples=["100/m;burst=20"],
    ),
]
MaxRunning = Annotated[
    int,
    Field(
        ge=1,
        le=MAX_RUNNING,
        description="How many runs of its tenant and user may run at once. The cap is theirs, not "
        "the key's: of several keys, the last one made with it counts.",
    ),
]


class NewKey(Body):
    """A key to make; one of scope user speaks for its `user_id` only."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"name": "web shop", "scope": "service"}}
    )

    name: Name
    scope: Literal["admin", "service", "user"]
    tenant: Tenant = DEFAULT_TENANT
    user_id: UserId | None = None
    expires_at: MaybeInstant = None
    rate_limit: RateLimit | None = None
    max_running: MaxRunning | None = None

    @model_validator(mode="after")
    def _named(self) -> Self:
        if self.scope == "user" and self.user_id is None:
            message = "a key of scope user needs its `user_id`"
            raise ValueError(message)
        return self

    def to_domain(self) -> requests.NewKey:
        expires_at = to_instant(self.expires_at)
        if expires_at is not None and expires_at <= wall():
            raise ValidationFailed.of(("body", "expires_at"), "has passed")
        return requests.NewKey(
            name=self.name,
            scope=Scope(self.scope),
            tenant=self.tenant,
            user_id=self.user_id,
            expires_at=expires_at,
            rate_limit=self.rate_limit,
            max_running=self.max_running,
        )


class Rotation(Body):
    """How a key is rotated."""

    overlap_seconds: Annotated[
        int,
        Field(
            ge=0, le=MAX_OVERLAP_SECONDS, description="How long the old secret passes beside it."
        ),
    ] = 0


class Key(BaseModel):
    """A key, without its secret; `prefix` is how that begins.

    `max_running` is what the key was made with. The cap is its principal's, that is its tenant's
    and user's, and the last key made with one says how many. Until `old_secret_until` the secret
    before the last rotation passes, too.
    """

    id: str
    name: str
    prefix: str
    scope: Scope
    tenant: str
    user_id: str | None
    rate_limit: str | None
    max_running: int | None
    old_secret_until: Timestamp | None
    created_at: Timestamp
    expires_at: Timestamp | None
    last_used_at: Timestamp | None
    revoked_at: Timestamp | None


class ShownKey(Key):
    """A key with its secret, which nobody can show again: null in a replayed answer."""

    key: str | None
