"""API keys: made here, shown once, kept as a hash."""

import hashlib
import secrets
from dataclasses import dataclass
from math import inf

from shared.clock import SECOND, Instant, after, monotonic
from shared.domain.access import Access
from shared.domain.errors import NotFound, Unauthenticated
from shared.domain.idempotency import Idempotency
from shared.domain.paging import Listing, Page
from shared.domain.principal import DEFAULT_TENANT, Key, Principal, Scope
from shared.domain.rates import NO_RATES, RequestRates
from shared.domain.requests import NewKey, Replayed
from shared.ids import KeyId, new_id
from shared.service.once import once
from shared.storage import keys as rows
from shared.storage.caps import cap_principal
from shared.storage.store import Store, Transaction

_PREFIX = "inturn_"
TRUSTED_SECONDS = 5.0  # how long a revoked key may still pass in a process that just saw it
_TOUCHED_SECONDS = 60.0
_CACHED = 10_000


@dataclass(frozen=True, slots=True)
class _Known:
    access: Access
    until: float


class Keys:
    """Who may come in."""

    def __init__(self, store: Store, rates: RequestRates = NO_RATES) -> None:
        self._store = store
        self._rates = rates
        self._known: dict[str, _Known] = {}
        self._touched: dict[KeyId, float] = {}

    async def authenticate(self, secret: str) -> Access:
        """Return what this key opens. Raises Unauthenticated: unknown, expired or revoked."""
        known = self._known.get(secret)
        if known is not None and known.until > monotonic():
            return known.access
        self._known.pop(secret, None)
        began = monotonic()
        key, seconds = await self._find(secret)
        principal = Principal(tenant=key.tenant, user_id=key.user_id, scope=key.scope)
        access = Access(principal=principal, meter=self._rates.of_key(key.id, key.rate_limit))
        if len(self._known) >= _CACHED:
            self._known.clear()
        self._known[secret] = _Known(access, began + min(TRUSTED_SECONDS, seconds))
        return access

    async def _find(self, secret: str) -> tuple[Key, float]:
        """Read a key that passes now, and for how many seconds it will at most."""
        async with self._store.reading() as reading:
            now = await self._store.now(reading)
            found = await rows.by_hash(reading, _digest(secret), now)
        key, old = found or (None, False)
        if key is None or key.revoked_at is not None or _expired(key, now):
            raise Unauthenticated("This key is unknown, expired or revoked.")
        if monotonic() - self._touched.get(key.id, float("-inf")) > _TOUCHED_SECONDS:
            self._touched[key.id] = monotonic()
            async with self._store.transaction() as transaction:
                await rows.touch(transaction, key.id, now)
        ends = [end for end in (key.expires_at, key.old_until if old else None) if end is not None]
        return key, min(((end - now) / SECOND for end in ends), default=inf)

    async def create(self, new: NewKey) -> tuple[Key, str]:
        """Make a key; its secret is returned here and nowhere else."""
        secret = _new_secret()
        async with self._store.transaction() as transaction:
            return await self._insert(transaction, new, secret), secret

    async def create_once(
        self, principal: Principal, new: NewKey, idempotency: Idempotency[tuple[Key, str]] | None
    ) -> tuple[Key, str] | Replayed:
        """Make a key for this admin, or return what the same key was answered first.

        `idempotency` must not print the secret: the answer is stored. Raises
        IdempotencyKeyReused.
        """
        secret = _new_secret()

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

    async def rotate(self, key_id: KeyId, *, overlap_seconds: int) -> tuple[Key, str]:
        """Give a key another secret; the old one passes for the overlap, elsewhere 5 s longer.

        Whose the key is stays as it was. Raises NotFound("key"), KeyEnded.
        """
        secret = _new_secret()
        async with self._store.transaction() as transaction:
            key = await self._rotate(transaction, key_id, secret, overlap_seconds)
        self._known.clear()
        return key, secret

    async def rotate_once(
        self,
        principal: Principal,
        key_id: KeyId,
        idempotency: Idempotency[tuple[Key, str]] | None,
        *,
        overlap_seconds: int,
    ) -> tuple[Key, str] | Replayed:
        """Rotate for this admin, or return what the same key was answered first.

        Like `create_once`; raises like `rotate`, and IdempotencyKeyReused.
        """
        secret = _new_secret()

        async def rotate(transaction: Transaction) -> tuple[Key, str]:
            return await self._rotate(transaction, key_id, secret, overlap_seconds), secret

        rotated = await once(self._store, principal, idempotency, rotate)
        self._known.clear()
        return rotated

    async def _rotate(
        self, transaction: Transaction, key_id: KeyId, secret: str, overlap_seconds: int
    ) -> Key:
        now = await self._store.now(transaction)
        return await rows.rotate(
            transaction,
            key_id,
            prefix=_prefix(secret),
            digest=_digest(secret),
            now=now,
            old_until=after(now, overlap_seconds),
        )

    async def _insert(self, transaction: Transaction, new: NewKey, secret: str) -> Key:
        now = await self._store.now(transaction)
        if new.max_running is not None:
            principal = Principal(tenant=new.tenant, user_id=new.user_id, scope=new.scope)
            await cap_principal(transaction, principal.id, new.max_running)
        return await rows.insert(
            transaction,
            KeyId(new_id()),
            new,
            prefix=_prefix(secret),
            digest=_digest(secret),
            now=now,
        )


def _new_secret() -> str:
    return _PREFIX + secrets.token_urlsafe(32)


def _prefix(secret: str) -> str:
    return secret[: len(_PREFIX) + 4]


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _expired(key: Key, now: Instant) -> bool:
    return key.expires_at is not None and key.expires_at <= now
