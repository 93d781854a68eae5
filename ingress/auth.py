"""From a credential to a principal."""

from starlette.types import Scope as AsgiScope

from ingress.call import Call
from shared.domain.access import Access
from shared.domain.errors import Forbidden, Unauthenticated
from shared.domain.principal import Principal, Scope

CREDENTIALS = (b"x-api-key", b"authorization")


async def authenticate(call: Call) -> Access:
    """Return who calls: one credential, in either header, the same one in both."""
    secrets = credentials(call.scope)
    if not secrets:
        raise Unauthenticated("Send your key as `X-API-Key` or `Authorization: Bearer`.")
    if len(secrets) > 1:
        raise Unauthenticated("Two different credentials were sent; send one.")
    return await call.platform.keys.authenticate(secrets.pop())


def credentials(scope: AsgiScope) -> set[str]:
    """Collect the distinct credentials of a request."""
    return {
        _secret(name, value.decode("latin-1"))
        for name, value in scope["headers"]
        if name in CREDENTIALS
    }


def _secret(name: bytes, value: str) -> str:
    secret = value
    if name == b"authorization":
        scheme, _, secret = value.partition(" ")
        if scheme.lower() != "bearer":
            raise Unauthenticated("The only scheme of `Authorization` is Bearer.")
    secret = secret.strip()
    if not secret:
        raise Unauthenticated("The credential is empty.")
    return secret


def require(principal: Principal, scope: Scope | None) -> None:
    """Refuse a credential without the scope that a route asks for."""
    if scope is not None and principal.scope is not scope:
        raise Forbidden(f"This route needs a key of scope {scope.value}.")
