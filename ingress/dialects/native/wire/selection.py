"""Many runs at once, on the wire: which, and what became of them."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from ingress.deps import MaybeInstant, id_schema, reader, to_instant
from ingress.fields import CorrelationId, Name, Sentence
from shared.domain import operations
from shared.domain.jsontypes import JsonObject
from shared.domain.run import RunStatus
from shared.ids import SessionId

_FILTERS = {
    "session_id",
    "agent",
    "pool",
    "status",
    "correlation_id",
    "created_after",
    "created_before",
}


class _Selection(BaseModel):
    """Runs that meet every filter; there must be one, so that nobody means all by mistake."""

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        json_schema_extra={"example": {"agent": "echo", "created_after": "2026-01-01T00:00:00Z"}},
    )

    session_id: Annotated[SessionId, BeforeValidator(reader("sess")), id_schema("sess")] | None = (
        None
    )
    agent: Name | None = None
    pool: Name | None = None
    correlation_id: CorrelationId | None = None
    created_after: MaybeInstant = None
    created_before: MaybeInstant = None
    limit: Annotated[int, Field(ge=1, le=operations.MOST_AT_ONCE)] = operations.MOST_AT_ONCE

    @model_validator(mode="after")
    def _names_some(self) -> Self:
        if not any(getattr(self, name) is not None for name in self.model_fields_set & _FILTERS):
            message = f"name at least one of {', '.join(sorted(_FILTERS))}"
            raise ValueError(message)
        return self

    def _selection(self, status: str | None) -> operations.Selection:
        return operations.Selection(
            session_id=self.session_id,
            agent=self.agent,
            pool=self.pool,
            status=RunStatus(status) if status else None,
            correlation_id=self.correlation_id,
            created_after=to_instant(self.created_after),
            created_before=to_instant(self.created_before),
            limit=self.limit,
        )


class CancelRuns(_Selection):
    """Unfinished runs to cancel, whosever they are."""

    status: Literal["queued", "running", "waiting"] | None = None
    reason: Sentence | None = None

    def to_domain(self) -> operations.Selection:
        return self._selection(self.status)


class RetryRuns(_Selection):
    """Runs to try again; those that were are left out."""

    status: Literal["failed", "cancelled"] = "failed"

    def to_domain(self) -> operations.Selection:
        return self._selection(self.status)


class Tally(BaseModel):
    """To how many it was done; `more` says that others were left: ask again."""

    count: int
    more: bool


def from_tally(tally: operations.Tally) -> JsonObject:
    return {"count": tally.count, "more": tally.more}
