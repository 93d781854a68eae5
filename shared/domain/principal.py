"""Who is calling: identity is (tenant, user_id), scope is a right."""

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from uuid import uuid5

from shared.clock import Instant
from shared.ids import NAMESPACE, KeyId, PrincipalId

DEFAULT_TENANT = "default"
MAX_OVERLAP_SECONDS = 7 * 24 * 3600


class Scope(StrEnum):
    """What a credential may do."""

    ADMIN = "admin"  # every tenant, keys and operations
    SERVICE = "service"  # its whole tenant; may name any user
    USER = "user"  # sessions with its user_id only


@dataclass(frozen=True, kw_only=True)
class Principal:
    """The caller. It never carries its key: rotating a key changes nobody's ownership."""

    tenant: str
    user_id: str | None
    scope: Scope

    @cached_property
    def id(self) -> PrincipalId:
        """UUIDv5 of (tenant, user_id): carries queue limits, windows and idempotency."""
        return PrincipalId(uuid5(NAMESPACE, f"{self.tenant}\n{self.user_id or ''}"))

    def sees(self, tenant: str, user_id: str | None) -> bool:
        """Tell whether an object of (tenant, user_id) exists for this caller."""
        if self.scope is Scope.ADMIN:
            return True
        if self.tenant != tenant:
            return False
        return self.scope is Scope.SERVICE or self.user_id == user_id


# Who comes without a credential where that is allowed: a tenant of its own.
ANONYMOUS = Principal(tenant="anonymous", user_id=None, scope=Scope.SERVICE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """An API key as stored: the secret itself is shown once and kept only as a hash.

    `rate_limit` is its own, null the setting's. `max_running` is what it was made with: the cap
    is the principal's, and the key made last with one says how many. Until `old_until` the
    secret before the last rotation passes, too.
    """

    id: KeyId
    name: str
    prefix: str
    scope: Scope
    tenant: str
    user_id: str | None
    rate_limit: str | None
    max_running: int | None
    old_until: Instant | None
    created_at: Instant
    expires_at: Instant | None
    last_used_at: Instant | None
    revoked_at: Instant | None
