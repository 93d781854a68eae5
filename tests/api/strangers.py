"""Those who have no business with what a user of the default tenant has."""

import httpx

from shared.bootstrap import Platform
from shared.domain.principal import DEFAULT_TENANT, Scope
from shared.domain.requests import NewKey
from tests.api.caller import Caller
from tests.tokens import signed


async def strangers(http: httpx.AsyncClient, platform: Platform) -> dict[str, Caller]:
    """By how they came; one that sends no credential is among them."""
    return {
        "another tenant's service": await caller_of(http, platform, Scope.SERVICE, "elsewhere"),
        "a user of the tenant": await caller_of(http, platform, Scope.USER, DEFAULT_TENANT, "bob"),
        "a user by token": Caller(http, signed(sub="mallory")),
        "nobody": Caller(http, ""),
    }


async def caller_of(
    http: httpx.AsyncClient, platform: Platform, scope: Scope, tenant: str, user: str | None = None
) -> Caller:
    new = NewKey(name="test", scope=scope, tenant=tenant, user_id=user)
    _, secret = await platform.keys.create(new)
    return Caller(http, secret)
