"""What the routes of this contract share: who may call, and how they say what went wrong."""

from starlette.types import Receive, Send
from starlette.types import Scope as AsgiScope

from ingress.auth import authenticate_or_anonymous
from ingress.call import Call
from ingress.dialects.elizaos.wire.refusal import (
    Refusal,
    creation_failed,
    sending_failed,
    session_not_found,
)
from ingress.failures import as_domain_error
from ingress.route import LenientRoute
from shared.domain.access import Access
from shared.domain.errors import (
    InternalError,
    InturnError,
    NotFound,
    Overloaded,
    SessionEnded,
    Unavailable,
    ValidationFailed,
)
from shared.domain.principal import ANONYMOUS

_OURS = (InternalError, Overloaded, Unavailable)


class ElizaRoute(LenientRoute):
    """A route whose sessions are named in its path, by ids that callers know nothing about."""

    async def respond(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        try:
            await super().respond(scope, receive, send)
        except Exception as raised:
            error = as_domain_error(raised)
            if error is None:
                raise
            raise self._told(error, scope["path_params"].get("session_id", "")) from raised

    async def enter(self, call: Call) -> Access:
        return await authenticate_or_anonymous(call)

    def failed(self, error: InturnError, given: str) -> InturnError:
        """Say what our fault means here; `given` is the session's id as it came."""
        del given
        return error

    def _told(self, error: InturnError, given: str) -> InturnError:
        if isinstance(error, _OURS):
            return self.failed(error, given)
        if isinstance(error, NotFound | SessionEnded) or _names_nothing(error):
            return session_not_found(given)
        return error


class CreatingRoute(ElizaRoute):
    """It creates sessions."""

    def failed(self, error: InturnError, given: str) -> Refusal:
        del given
        return creation_failed(error)


class SendingRoute(ElizaRoute):
    """It sends messages."""

    def failed(self, error: InturnError, given: str) -> Refusal:
        return sending_failed(given, error)


class OpenRoute(ElizaRoute):
    """It asks for no credential; its function looks at one that is sent."""

    async def enter(self, call: Call) -> Access:
        del call
        return Access(principal=ANONYMOUS)


def _names_nothing(error: InturnError) -> bool:
    """Tell whether the path holds what is no id."""
    if not isinstance(error, ValidationFailed):
        return False
    return any(each.loc[0] == "path" for each in error.errors)
