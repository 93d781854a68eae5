"""Whoever calls proves it by one secret: an API key, or a token of an end user."""

from dataclasses import dataclass
from hashlib import sha256

from shared.clock import monotonic
from shared.domain.access import Access
from shared.service.keys import TRUSTED_SECONDS, Keys
from shared.service.tokens import Tokens

_CACHED = 10_000


@dataclass(frozen=True, slots=True)
class _Known:
    access: Access
    until: float


class Credentials:
    """Who may come in, by whichever credential."""

    def __init__(self, keys: Keys, tokens: Tokens) -> None:
        self._keys = keys
        self._tokens = tokens
        self._known: dict[bytes, _Known] = {}  # tokens, by their hash

    async def authenticate(self, secret: str) -> Access:
        """Return what this key or token opens. Raises Unauthenticated."""
        if not self._tokens.recognizes(secret):
            return await self._keys.authenticate(secret)
        digest = sha256(secret.encode()).digest()
        known = self._known.get(digest)
        if known is not None and known.until > monotonic():
            return known.access
        return await self._verify(secret, digest)

    async def _verify(self, token: str, digest: bytes) -> Access:
        self._known.pop(digest, None)
        began = monotonic()
        verified = await self._tokens.verify(token)
        access = Access(principal=verified.principal)
        if len(self._known) >= _CACHED:
            self._known.clear()
        trusted = min(TRUSTED_SECONDS, verified.seconds)
        self._known[digest] = _Known(access, began + trusted)
        return access
