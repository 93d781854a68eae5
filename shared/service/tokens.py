"""End users' tokens: JWTs that somebody else signs and this server only verifies."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jwt
from jwt import exceptions as refused

from shared.clock import SECOND, wall
from shared.domain.errors import Unauthenticated
from shared.domain.principal import DEFAULT_TENANT, Principal, Scope
from shared.service.jwks import KeyFile
from shared.settings import Settings

MAX_LENGTH = 8192
MAX_SUBJECT = 255
LEEWAY_SECONDS = 10
_SECRET_ALGORITHM = "HS256"  # noqa: S105  (the algorithm's name)
_FILE_ALGORITHMS = ("RS256", "ES256")
_TIMES = ("exp", "nbf", "iat")
_JWT = jwt.PyJWT(
    {"require": ["exp", "aud", "sub"], "verify_jti": False, "enforce_minimum_key_length": True}
)
# What is said never quotes the token. The first that fits.
_SAID: Sequence[tuple[type[refused.InvalidTokenError], str, str]] = (
    (refused.ExpiredSignatureError, "expired", "Token has expired."),
    (refused.InvalidAudienceError, "audience", "Invalid token audience."),
    (refused.InvalidSignatureError, "invalid", "signature verification failed"),
    (refused.ImmatureSignatureError, "invalid", "it is not valid yet"),
    (refused.InvalidIssuerError, "invalid", "it is from another issuer"),
    (refused.InvalidTokenError, "invalid", "it cannot be read"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """Whose the token is, and for how many seconds it will still be valid."""

    principal: Principal
    seconds: float


class Tokens:
    """Verifies HS256 by a shared secret, RS256 and ES256 by the keys of a file.

    A source of keys has algorithms of its own, and a token's header only chooses between the
    sources: nothing that is public is ever taken for a secret.
    """

    def __init__(
        self, *, secret: str | None, keys: KeyFile | None, audience: str, issuer: str | None
    ) -> None:
        self._secret = secret
        self._keys = keys
        self._audience = audience
        self._issuer = issuer

    @classmethod
    def of(cls, settings: Settings) -> "Tokens":
        """Take the sources that are configured; with none, no token is one."""
        return cls(
            secret=settings.jwt_secret,
            keys=KeyFile(settings.jwt_jwks_file) if settings.jwt_jwks_file else None,
            audience=settings.jwt_audience,
            issuer=settings.jwt_issuer,
        )

    def recognizes(self, secret: str) -> bool:
        """Tell whether this is meant as a token, and tokens are taken here."""
        if not (self._secret or self._keys) or secret.count(".") != 2:  # noqa: PLR2004
            return False
        return secret.startswith(("ey", "ew"))  # as a JSON object begins in base64

    async def verify(self, token: str) -> Verified:
        """Return whose token this is. Raises Unauthenticated: expired, audience, invalid."""
        if len(token) > MAX_LENGTH:
            raise _invalid(f"it is longer than {MAX_LENGTH} characters")
        try:
            claims = await self._claims(token)
        except refused.MissingRequiredClaimError as error:
            raise _invalid(f"it has no `{error.claim}`") from None
        except refused.InvalidTokenError as error:
            reason, said = next(each[1:] for each in _SAID if isinstance(error, each[0]))
            raise _invalid(said) if reason == "invalid" else _refused(said, reason) from None
        return _verified(claims)

    async def _claims(self, token: str) -> dict[str, Any]:
        header = jwt.get_unverified_header(token)
        algorithm, kid = str(header.get("alg")), header.get("kid")
        key: str | jwt.PyJWK | None = None
        if algorithm == _SECRET_ALGORITHM:
            key = self._secret
        elif self._keys and algorithm in _FILE_ALGORITHMS and kid:
            key = await self._keys.find(kid, algorithm)
        if not key:
            raise _invalid("no key of this server fits its `alg` and `kid`")
        return _JWT.decode(
            token,
            key,
            algorithms=[algorithm],
            audience=self._audience,
            issuer=self._issuer,
            leeway=LEEWAY_SECONDS,
        )


def _verified(claims: dict[str, Any]) -> Verified:
    subject = claims["sub"]
    if not 1 <= len(subject) <= MAX_SUBJECT or not _storable(subject):
        raise _invalid(f"its `sub` is no text of 1 to {MAX_SUBJECT} characters")
    for name in _TIMES:
        if isinstance(claims.get(name, 0), bool | str):
            raise _invalid(f"its `{name}` is no number")
    now = wall() / SECOND
    ends = min(claims["exp"], now + 3600)  # compared, never subtracted: it may be any number
    user = Principal(tenant=DEFAULT_TENANT, user_id=subject, scope=Scope.USER)
    return Verified(principal=user, seconds=ends + LEEWAY_SECONDS - now)


def _storable(text: str) -> bool:
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return False


def _invalid(what: str) -> Unauthenticated:
    return _refused(f"Invalid token: {what}.", "invalid")


def _refused(detail: str, reason: str) -> Unauthenticated:
    return Unauthenticated(detail, reason=reason)
