"""From a credential to a principal."""

import re
from ipaddress import ip_address

from starlette.types import Scope as AsgiScope

from ingress.call import Call
from shared.domain.access import Access
from shared.domain.errors import Forbidden, Unauthenticated
from shared.domain.principal import ANONYMOUS, Principal, Scope
from shared.settings import Settings

CREDENTIALS = (b"x-api-key", b"authorization")
_HOST = re.compile(r"(?:\[(?P<six>[^\[\]]*)\]|(?P<name>[^:\[\]]*))(?::[0-9]*)?")
FORWARDED = {b"forwarded", b"x-forwarded-for", b"x-real-ip"}


async def authenticate(call: Call) -> Access:
    """Return who calls: one credential, in either header, the same one in both."""
    secrets = credentials(call.scope)
    if not secrets:
        sentence = "Send your key as `X-API-Key` or `Authorization: Bearer`."
        raise Unauthenticated(sentence, reason="missing")
    if len(secrets) > 1:
        raise Unauthenticated("Two different credentials were sent; send one.", reason="two")
    return await call.platform.credentials.authenticate(secrets.pop())


async def authenticate_or_anonymous(call: Call) -> Access:
    """Return who calls; nobody in particular, where that is allowed and no credential is sent."""
    if anonymous_here(call.platform.settings, call.scope) and not credentials(call.scope):
        return Access(principal=ANONYMOUS)
    return await authenticate(call)


def allows_anonymous(settings: Settings) -> bool:
    """Tell whether ElizaOS clients may come without a credential: by default only from here."""
    if settings.anonymous_elizaos is not None:
        return settings.anonymous_elizaos
    return _is_loopback(settings.host)


def anonymous_here(settings: Settings, scope: AsgiScope) -> bool:
    """Tell whether this request may come without a credential.

    Unless it is said outright, whoever was sent on by a proxy, or asks for somebody's domain
    (whose name was made to mean this machine), does not come from here.
    """
    if not allows_anonymous(settings):
        return False
    return settings.anonymous_elizaos is not None or _came_from_here(scope)


def _came_from_here(scope: AsgiScope) -> bool:
    headers = dict(scope["headers"])
    if headers.keys() & FORWARDED:
        return False
    found = _HOST.fullmatch(headers.get(b"host", b"").decode("latin-1"))
    if found is None:
        return False
    name = found["six"] or found["name"]
    return _is_loopback(name) or not set(name) & {".", ":"}


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


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
            sentence = "The only scheme of `Authorization` is Bearer."
            raise Unauthenticated(sentence, reason="scheme")
    secret = secret.strip()
    if not secret:
        raise Unauthenticated("The credential is empty.", reason="empty")
    return secret


def require(principal: Principal, scope: Scope | None) -> None:
    """Refuse a credential without the scope that a route asks for."""
    if scope is not None and principal.scope is not scope:
        raise Forbidden(f"This route needs a key of scope {scope.value}.")
