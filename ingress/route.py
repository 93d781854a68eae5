"""What happens to a request of any dialect between its route and the route's function.

The order is part of the contract: who are you, may you, can your words be read, then the rest.
"""

from typing import Any, ClassVar
from urllib.parse import unquote_to_bytes

from fastapi.routing import APIRoute
from starlette.responses import Response
from starlette.types import Receive, Send
from starlette.types import Scope as AsgiScope

from ingress.auth import authenticate, require
from ingress.call import Call
from ingress.idempotency import read_key
from ingress.parameters import Parameters
from ingress.strictjson import unstorable
from shared.domain.access import Access
from shared.domain.errors import ValidationFailed
from shared.domain.principal import Scope


class StrictRoute(APIRoute):
    """Authenticates, then reads parameters and body without guessing or dropping anything.

    The function takes a `Call` and returns a finished `Response`; nothing is checked twice.
    """

    scope: ClassVar[Scope | None] = None
    strict: ClassVar[bool] = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - FastAPI's, passed on
        super().__init__(*args, **kwargs)
        self.parameters = Parameters(self.dependant, strict=self.strict)
        self.app = self.respond

    async def respond(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        call = Call(scope, receive)
        call.access = await self.enter(call)
        require(call.principal, self.scope)
        await self.read(call)
        response: Response = await self.endpoint(**self.parameters.read(call))
        await response(scope, receive, send)

    async def enter(self, call: Call) -> Access:
        """Find out who calls. Raises Unauthenticated."""
        return await authenticate(call)

    async def read(self, call: Call) -> None:
        """Refuse what cannot be read, then read the body."""
        _check_text(call.scope)
        if call.method == "POST":
            call.idempotency_key = read_key(call.scope)
        if self.parameters.has_body:
            await self.read_body(call)

    async def read_body(self, call: Call) -> None:
        """Read what the body says."""
        await call.read_json()


class LenientRoute(StrictRoute):
    """For contracts whose clients send what nobody reads: it is ignored."""

    strict = False


class AdminRoute(StrictRoute):
    """For keys of scope admin."""

    scope = Scope.ADMIN


def _check_text(scope: AsgiScope) -> None:
    for place, raw in (("path", scope["raw_path"]), ("query", scope["query_string"])):
        if b"%" in raw:
            try:
                wrong = unstorable(unquote_to_bytes(raw).decode())
            except UnicodeDecodeError:
                wrong = "is not UTF-8"
            if wrong:
                raise ValidationFailed.of((place,), wrong)
