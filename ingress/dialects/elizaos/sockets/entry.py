"""Who comes in: the handshake, and a second look now and then."""

from dataclasses import dataclass, field
from typing import Any

from socketio.exceptions import ConnectionRefusedError as Refused
from starlette.types import Scope

from ingress.auth import anonymous_here, credentials
from ingress.fields import as_uuid
from shared.bootstrap import Platform
from shared.domain.access import Access
from shared.domain.errors import InturnError, Unauthenticated
from shared.domain.principal import ANONYMOUS
from shared.ids import SessionId

INVALID_ENTITY = "Valid entityId required"
INVALID_KEY = "Invalid or missing API Key"
FAILED = "Authentication failed"


@dataclass(eq=False, slots=True, kw_only=True)
class Visitor:
    """A connected client: `secret` is what it proved itself by, if it did.

    Without an `entity_id` it may listen, and say nothing.
    """

    sid: str
    eio_sid: str
    access: Access
    secret: str | None
    entity_id: str | None
    rooms: set[SessionId] = field(default_factory=set)


async def admit(
    platform: Platform, scope: Scope, auth: object, *, sid: str, eio_sid: str
) -> Visitor:
    """Look at a handshake's `auth` and headers. Raises Refused, as the client will read it."""
    if not isinstance(auth, dict | None):
        raise Refused(FAILED)
    told: dict[str, Any] = auth or {}
    entity_id = told.get("entityId")
    if entity_id is not None and as_uuid(entity_id) is None:
        raise Refused(INVALID_ENTITY)
    secret = _secret(scope, told.get("apiKey"))
    return Visitor(
        sid=sid,
        eio_sid=eio_sid,
        access=await _access(platform, scope, secret),
        secret=secret,
        entity_id=str(as_uuid(entity_id)) if entity_id is not None else None,
    )


async def _access(platform: Platform, scope: Scope, secret: str | None) -> Access:
    if secret is None:
        if anonymous_here(platform.settings, scope):
            return Access(principal=ANONYMOUS)
        raise Refused(INVALID_KEY)
    try:
        return await platform.credentials.authenticate(secret)
    except Unauthenticated:
        raise Refused(INVALID_KEY) from None
    except InturnError:
        raise Refused(FAILED) from None


def _secret(scope: Scope, key: object) -> str | None:
    """Return the one credential that was sent; none, or an empty key, is null."""
    try:
        secrets = credentials(scope)
    except Unauthenticated:
        raise Refused(INVALID_KEY) from None
    if key is not None and key != "":
        if not isinstance(key, str):
            raise Refused(INVALID_KEY)
        secrets.add(key.strip())
    if len(secrets) > 1:
        raise Refused(INVALID_KEY)
    return next(iter(secrets), None)


async def revoked(platform: Platform, secrets: set[str]) -> set[str]:
    """Find those that open nothing any more; what cannot be asked now passes."""
    found: set[str] = set()
    for secret in secrets:
        try:
            await platform.credentials.authenticate(secret)
        except Unauthenticated:
            found.add(secret)
        except InturnError:
            continue
    return found
