"""The domain's own words for what can go wrong; each dialect translates them once."""

from dataclasses import dataclass
from typing import ClassVar

from shared.clock import Instant, iso
from shared.domain.lifetime import Lifetime
from shared.domain.rates import Allowance
from shared.ids import SessionId


class InturnError(Exception):
    """An error a client can act on: a stable `code` and a sentence for a human."""

    code: ClassVar[str] = "internal_error"

    def __init__(self, detail: str, *, retry_after: float | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.retry_after = retry_after  # seconds
        self.allowances: tuple[Allowance, ...] = ()  # of the rates the request is under


@dataclass(frozen=True, slots=True)
class FieldError:
    """One wrong field: where (`("body", "content")`) and what is allowed."""

    loc: tuple[str | int, ...]
    msg: str


class InternalError(InturnError):
    """Our fault."""


class Unauthenticated(InturnError):
    """No credential, an unknown one, or two different ones.

    `reason` says which: missing, two, empty, scheme; of a token expired, audience, invalid; else
    unknown.
    """

    code = "unauthenticated"

    def __init__(self, detail: str, *, reason: str = "unknown") -> None:
        super().__init__(detail)
        self.reason = reason


class Forbidden(InturnError):
    """A valid credential without the scope for this route."""

    code = "forbidden"


class NotFound(InturnError):
    """It does not exist, or not for this caller; which of the two is not said."""

    code = "not_found"

    def __init__(self, noun: str) -> None:
        super().__init__(f"No such {noun}.")
        self.noun = noun


class UnknownRoute(InturnError):
    """No route has this path."""

    code = "unknown_route"


class MethodNotAllowed(InturnError):
    """The path exists, the method does not."""

    code = "method_not_allowed"


class InvalidJson(InturnError):
    """The body is not JSON that we take: malformed, bad UTF-8, NaN, too deep."""

    code = "invalid_json"


class ValidationFailed(InturnError):
    """Readable, but wrong; `errors` names each field."""

    code = "validation_failed"

    def __init__(self, errors: tuple[FieldError, ...], detail: str | None = None) -> None:
        super().__init__(detail or "The request has wrong or missing fields; see `errors`.")
        self.errors = errors

    @classmethod
    def of(cls, loc: tuple[str | int, ...], msg: str) -> "ValidationFailed":
        """Complain about one field."""
        return cls((FieldError(loc, msg),))


class NotSupported(ValidationFailed):
    """The contract names it and this server does not do it yet; it is refused, never ignored."""

    code = "not_supported"

    def __init__(self, loc: tuple[str | int, ...]) -> None:
        where = ".".join(str(part) for part in loc)
        super().__init__(
            (FieldError(loc, "not supported yet; leave it out"),),
            f"This server does not support {where} yet; leave it out.",
        )


class PayloadTooLarge(InturnError):
    """The body is over the limit; it was not read whole."""

    code = "payload_too_large"


class UnsupportedMediaType(InturnError):
    """The body's content type is not one this route reads."""

    code = "unsupported_media_type"


class SessionEnded(InturnError):
    """The session takes no more messages."""

    code = "session_ended"


class SessionExpired(InturnError):
    """Its time is up; only a contract in which sessions die of it says so."""

    code = "session_expired"

    def __init__(self, session_id: SessionId, expires_at: Instant) -> None:
        super().__init__(f"This session expired at {iso(expires_at)}; create a new one.")
        self.session_id = session_id
        self.expires_at = expires_at


class RenewalRefused(InturnError):
    """It has lived for as long as its policy lets a session live."""

    code = "renewal_refused"

    def __init__(self, session_id: SessionId, lifetime: Lifetime, now: Instant) -> None:
        super().__init__("This session has reached its longest duration; create a new one.")
        self.session_id = session_id
        self.lifetime = lifetime
        self.now = now


class SessionBusy(InturnError):
    """`on_busy: reject`, and the line is not empty."""

    code = "session_busy"


class IdempotencyKeyReused(InturnError):
    """The key came with another request before."""

    code = "idempotency_key_reused"


class AgentExists(InturnError):
    """Its name, or its id, is another agent's."""

    code = "agent_exists"


class AgentFromFile(InturnError):
    """Only the agents file, or the house, says what this agent is."""

    code = "agent_from_file"


class PreconditionRequired(InturnError):
    """Whoever changes this says which version of it was seen."""

    code = "precondition_required"


class PreconditionFailed(InturnError):
    """It is not the version that was seen."""

    code = "precondition_failed"


class NotRetryable(InturnError):
    """Only a failed or cancelled run can be retried."""

    code = "not_retryable"


class KeyEnded(InturnError):
    """A revoked or expired key stays what it is."""

    code = "key_ended"


class NotWaiting(InturnError):
    """Only a run in `waiting` can be resumed."""

    code = "not_waiting"


class WebhookDisabled(InturnError):
    """Nothing is sent to this subscription until it is enabled again."""

    code = "webhook_disabled"


class TooManyWebhooks(InturnError):
    """This principal has as many subscriptions as there may be."""

    code = "too_many_webhooks"


class SessionQueueFull(InturnError):
    """The session's line is full."""

    code = "session_queue_full"


class RateLimited(InturnError):
    """Too often, for a key, a session or a user; `retry_after` is when it would pass."""

    code = "rate_limited"


class QueueFull(InturnError):
    """This principal has too many queued runs."""

    code = "queue_full"


class Overloaded(InturnError):
    """This server has more work than it takes; ask again later."""

    code = "overloaded"


class Unavailable(InturnError):
    """The database is away: nobody knows whether the commit that was on its way arrived."""

    code = "unavailable"
