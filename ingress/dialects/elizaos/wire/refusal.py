"""What this contract says of an error beyond what the domain knows: its code, words and details."""

from http import HTTPStatus
from typing import cast

from ingress.statuses import status_of
from shared.domain.errors import InternalError, InturnError
from shared.domain.jsontypes import Json, JsonObject

UNEXPECTED = "An unexpected error occurred"
_MAX_ECHO = 200  # characters of an id that is none
_EXPECTED_UUID = "UUID, as 8-4-4-4-12 hexadecimal digits"


class Refusal(InturnError):
    """An error in this contract's own words."""

    def __init__(
        self,
        status: HTTPStatus,
        told_code: str,
        detail: str,
        details: JsonObject | None = None,
        *,
        cause: InturnError | None = None,
    ) -> None:
        super().__init__(detail, retry_after=cause.retry_after if cause else None)
        self.status = status
        self.told_code = told_code
        self.details = details


def session_not_found(given: str) -> Refusal:
    """No such session, or not for this caller, or not any more."""
    shown = given[:_MAX_ECHO]
    return Refusal(
        HTTPStatus.NOT_FOUND,
        "SESSION_NOT_FOUND",
        f"Session with ID '{shown}' not found",
        {"sessionId": shown},
    )


def agent_not_found(given: str) -> Refusal:
    """No such agent."""
    return Refusal(HTTPStatus.NOT_FOUND, "AGENT_NOT_FOUND", f"Agent with ID '{given}' not found")


def missing_fields() -> Refusal:
    """One of the two ids of a new session is missing; both are named, whichever it is."""
    message = "Missing required fields: agentId, userId"
    return _invalid(message, {"missingFields": ["agentId", "userId"]})


def invalid_uuid(field: str, given: object) -> Refusal:
    """It is no UUID."""
    return _invalid(
        f"Invalid UUID format for field '{field}'",
        {"providedValue": cast("Json", given), "expectedFormat": _EXPECTED_UUID},
    )


def invalid_content(reason: str) -> Refusal:
    """The message says nothing, too much, or nothing that can be said."""
    return _invalid(f"Invalid content: {reason}", {"reason": reason})


def invalid_transport(message: str) -> Refusal:
    """There is no such way to answer."""
    return _invalid(message, {"reason": message})


def invalid_metadata(reason: str, given: object) -> Refusal:
    """The metadata are no object, or too large."""
    details: JsonObject = {"reason": reason, "providedMetadata": cast("Json", given)}
    return _invalid(f"Invalid metadata: {reason}", details)


def invalid_pagination(parameter: str, value: str, reason: str) -> Refusal:
    """A cursor that is no instant."""
    details: JsonObject = {"parameter": parameter, "value": value, "reason": reason}
    return _invalid(f"Invalid pagination parameter '{parameter}': {reason}", details)


def invalid_timeout(reason: str, given: object) -> Refusal:
    """A policy that cannot be."""
    details: JsonObject = {"reason": reason, "providedConfig": cast("Json", given)}
    return _invalid(f"Invalid timeout configuration: {reason}", details)


def creation_failed(cause: InturnError) -> Refusal:
    """The session could not be created, for no fault of the caller's."""
    why = _why(cause)
    return Refusal(
        status_of(cause),
        "SESSION_CREATION_FAILED",
        f"Failed to create session: {why}",
        {"originalError": why},
        cause=cause,
    )


def sending_failed(session_id: str, cause: InturnError) -> Refusal:
    """The message could not be stored, or the agent could not answer it."""
    why = _why(cause)
    return Refusal(
        status_of(cause),
        "MESSAGE_SEND_FAILED",
        f"Failed to send message in session '{session_id[:_MAX_ECHO]}': {why}",
        {"originalError": why},
        cause=cause,
    )


class AgentFailed(InturnError):
    """The run that a caller waits for ended without an answer."""


def _why(cause: InturnError) -> str:
    return UNEXPECTED if isinstance(cause, InternalError) else cause.detail


def _invalid(message: str, details: JsonObject) -> Refusal:
    return Refusal(HTTPStatus.BAD_REQUEST, "VALIDATION_ERROR", message, details)
