from uuid import UUID

import pytest

from shared.domain.principal import Principal, Scope


def who(scope: Scope, tenant: str = "acme", user: str | None = "anna") -> Principal:
    return Principal(tenant=tenant, user_id=user, scope=scope)


@pytest.mark.parametrize(
    ("scope", "own", "colleagues", "nobodys", "strangers"),
    [
        (Scope.ADMIN, True, True, True, True),
        (Scope.SERVICE, True, True, True, False),
        (Scope.USER, True, False, False, False),
    ],
)
def test_scope_decides_what_exists(
    scope: Scope, own: bool, colleagues: bool, nobodys: bool, strangers: bool
) -> None:
    caller = who(scope)
    assert caller.sees("acme", "anna") is own
    assert caller.sees("acme", "bert") is colleagues
    assert caller.sees("acme", None) is nobodys
    assert caller.sees("other", "anna") is strangers


def test_identity_is_the_tenant_and_the_user_not_the_scope() -> None:
    assert who(Scope.USER).id == who(Scope.SERVICE).id
    ids = {who(Scope.USER, tenant, user).id for tenant in ("a", "b") for user in ("x", "y", None)}
    assert len(ids) == 6


def test_identity_is_the_same_in_every_process() -> None:
    anna = Principal(tenant="default", user_id=None, scope=Scope.ADMIN)
    assert anna.id == UUID("ca77e124-ae57-5064-ba44-429534604105")
