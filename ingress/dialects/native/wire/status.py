"""Where sessions stand, on the wire."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from ingress.deps import id_schema, reader
from ingress.dialects.native.wire.run_view import Failure
from ingress.fields import Timestamp
from shared import ids
from shared.domain.jsontypes import Json, JsonObject
from shared.domain.printed import from_error, instant
from shared.domain.run import RunStatus
from shared.domain.session import RunGlance, SessionStatus, Standing
from shared.ids import SessionId

MOST_SESSIONS = 1000


class Glance(BaseModel):
    """A run, as far as a poller needs it."""

    id: str
    status: RunStatus
    error: Failure | None


class Status(BaseModel):
    """What a poller reads."""

    status: SessionStatus
    version: int
    queue_depth: int
    active_run: Glance | None
    last_run: Glance | None
    message_count: int
    last_activity_at: Timestamp
    expires_at: Timestamp | None


class SessionStanding(Status):
    """One of many."""

    id: str


class Statuses(BaseModel):
    """What a poller of many reads, in the order asked; `missing` is not there for this caller."""

    data: list[SessionStanding]
    missing: list[str]


class StatusQuery(BaseModel):
    """Which sessions; one that is named twice is answered once."""

    model_config = ConfigDict(strict=True, extra="forbid")

    session_ids: Annotated[
        list[Annotated[SessionId, BeforeValidator(reader("sess")), id_schema("sess")]],
        Field(min_length=1, max_length=MOST_SESSIONS),
    ]

    @property
    def asked(self) -> list[SessionId]:
        """Each session once, in the order asked."""
        return list(dict.fromkeys(self.session_ids))


def from_status(standing: Standing) -> JsonObject:
    """Print what a poller reads."""
    return {
        "status": standing.status,
        "version": standing.version,
        "queue_depth": standing.queue_depth,
        "active_run": _glance(standing.active_run),
        "last_run": _glance(standing.last_run),
        "message_count": standing.message_count,
        "last_activity_at": instant(standing.last_activity_at),
        "expires_at": instant(standing.expires_at),
    }


def from_statuses(asked: Sequence[SessionId], found: Sequence[Standing]) -> JsonObject:
    """Print where each stands, and which are missing."""
    there = {standing.id for standing in found}
    data: list[Json] = [
        {"id": ids.spell("sess", standing.id), **from_status(standing)} for standing in found
    ]
    missing: list[Json] = [ids.spell("sess", each) for each in asked if each not in there]
    return {"data": data, "missing": missing}


def digest(asked: Sequence[SessionId], found: Sequence[Standing]) -> str:
    """Name what `from_statuses` prints: it changes with what is asked and with any version."""
    versions = {standing.id: standing.version for standing in found}
    told = blake2b(digest_size=16)
    for each in asked:
        told.update(b"%s %d;" % (each.bytes, versions.get(each, 0)))
    return told.hexdigest()


def _glance(run: RunGlance | None) -> JsonObject | None:
    if run is None:
        return None
    return {"id": ids.spell("run", run.id), "status": run.status, "error": from_error(run.error)}
