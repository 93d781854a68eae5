"""Runs on the wire: requests and queries."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from ingress.dialects.native.wire.fields import Body, refuse_unbuilt
from ingress.dialects.native.wire.paging import NewestFirst
from ingress.fields import CorrelationId, Name, Sentence
from shared.domain import requests
from shared.domain.errors import ValidationFailed
from shared.domain.run import RunStatus
from shared.ids import SessionId

CallId = Annotated[str, Field(min_length=1, max_length=200)]


class CancelRun(Body):
    """Why, for whoever reads the run later."""

    reason: Sentence | None = None


class RetryRun(Body):
    """A retry takes no options."""


class Approval(BaseModel):
    """A human's word on one tool call."""

    model_config = ConfigDict(strict=True, extra="forbid")

    call_id: CallId
    approved: bool
    reason: Sentence | None = None


class ToolOutcome(BaseModel):
    """What became of a tool call that nobody knows the end of."""

    model_config = ConfigDict(strict=True, extra="forbid")

    call_id: CallId
    result: object = None
    repeat: bool = False


class ResumeRun(Body):
    """What a waiting run waits for."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"approvals": [{"call_id": "call_1", "approved": True}]}}
    )

    approvals: list[Approval] = Field(default_factory=list, max_length=100)
    outcomes: list[ToolOutcome] = Field(default_factory=list, max_length=100)

    def to_domain(self) -> tuple[requests.Decision, ...]:
        refuse_unbuilt(self, frozenset({"outcomes"}))
        if not self.approvals:
            raise ValidationFailed.of(("body", "approvals"), "at least one")
        return tuple(
            requests.Decision(call_id=each.call_id, approved=each.approved, reason=each.reason)
            for each in self.approvals
        )


class RunsQuery(NewestFirst):
    """Which runs."""

    status: RunStatus | None = None
    agent: Name | None = None
    correlation_id: CorrelationId | None = None

    def filters(self, session_id: SessionId | None = None) -> requests.RunFilter:
        return requests.RunFilter(
            session_id=session_id,
            status=self.status,
            agent=self.agent,
            correlation_id=self.correlation_id,
        )
