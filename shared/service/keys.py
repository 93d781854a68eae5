"""API keys: made here, shown once, kept as a hash."""

import hashlib
import secrets
from dataclasses import dataclass

from shared.clock import Instant, monotonic
from shared.domain.errors import NotFound, Unauthenticated
from shared.domain.idempotency import Idempotency
from shared.domain.paging import Listing, Page
from shared.domain.principal import DEFAULT_TENANT, Key, Principal, Scope
from shared.domain.requests import NewKey, Replayed
from shared.ids import KeyId, new_id
from shared.service.once import once
from shared.storage import keys as rows
from shared.storage.store import Store, Transaction

_PREFIX = "inturn_"
_TRUSTED_SECONDS = 5.0  # how long a revoked key may still pass in a process that just saw it
_TOUCHED_SECONDS = 60.0
_CACHED = 10_000


@dataclass(frozen=True, slots=True)
class _Known:
    principal: Principal
    until: float


class Keys:
    """Who may come in."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, _Known] = {}
        self._touched: dict[KeyId, float] = {}

    async def authenticate(self, secret: str) -> Principal:
        """Return whose key this is. Raises Unauthenticated: unknown, expired or revoked."""
        known = self._known.get(secret)
        if known is not None and known.until > monotonic():
            return known.principal
        self._known.pop(secret, None)
        key = await self._find(secret)
        principal = Principal(tenant=key.tenant, user_id=key.user_id, scope=key.scope)
        if len(self._known) >= _CACHED:
            self._known.clear()
        self._known[secret] = _Known(principal, monotonic() + _TRUSTED_SECONDS)
        return principal

    async def _find(self, secret: str) -> Key:
        async with self._store.reading() as reading:
            key = await rows.by_hash(reading, _digest(secret))
            now = await self._store.now(reading)
        if key is None or key.revoked_at is not None or _expired(key, now):
            raise Unauthenticated("This key is unknown, expired or revoked.")
        if monotonic() - self._touched.get(key.id, float("-inf")) > _TOUCHED_SECONDS:
            self._touched[key.id] = monotonic()
            async with self._store.transaction() as transaction:
                await rows.touch(transaction, key.id, now)
        return key

    async def create(self, new: NewKey) -> tuple[Key, str]:
        """Make a key; its secret is returned here and nowhere else."""
        secret = _PREFIX + secrets.token_urlsafe(32)
        async with self._store.transaction() as transaction:
            return await self._insert(transaction, new, secret), secret

    async def create_once(
        self, principal: Principal, new: NewKey, idempotency: Idempotency[tuple[Key, str]] | None
    ) -> tuple[Key, str] | Replayed:
        """Make a key for this admin, or return what the same key was answered first.

        `idempotency` must not print the secret: the answer is stored. Raises
        IdempotencyKeyReused.
        """
        secret = _PREFIX + secrets.token_urlsafe(32)

        async def create(transaction: Transaction) -> tuple[Key, str]:
            return await self._insert(transaction, new, secret), secret

        return await once(self._store, principal, idempotency, create)

    async def bootstrap(self, secret: str) -> None:
        """Make sure that `secret` is an admin key; it can be revoked like any other."""
        new = NewKey(name="bootstrap", scope=Scope.ADMIN, tenant=DEFAULT_TENANT)
        async with self._store.transaction() as transaction:
            await self._insert(transaction, new, secret)

    async def list(self, page: Page) -> Listing[Key]:
        """List the keys, revoked ones too."""
        async with self._store.reading() as reading:
            return await rows.page(reading, page)

    async def revoke(self, key_id: KeyId) -> None:
        """End a key, here at once and elsewhere within seconds. Raises NotFound("key")."""
        async with self._store.transaction() as transaction:
            now = await self._store.now(transaction)
            found = await rows.revoke(transaction, key_id, now)
        if not found:
            raise NotFound("key")
        self._known.clear()

    async def _insert(self, transaction: Transaction, new: NewKey, secret: str) -> Key:
        now = await self._store.now(transaction)
        return await rows.insert(
            transaction,
            KeyId(new_id()),
            new,
            prefix=secret[: len(_PREFIX) + 4],
            digest=_digest(secret),
            now=now,
        )


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _expired(key: Key, now: Instant) -> bool:
    return key.expires_at is not None and key.expires_at <= now
