"""Who may ask at all: every route of every contract wants a credential, some an admin's."""

import httpx
import pytest

from shared.bootstrap import Platform
from shared.domain.principal import DEFAULT_TENANT, Scope
from shared.ids import new_id
from shared.settings import Settings
from tests.api.caller import Caller, outcome
from tests.api.estate import NOUNS, Estate
from tests.api.routes import OPEN, every_route
from tests.api.strangers import caller_of
from tests.tokens import SECRET, signed


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"jwt_secret": SECRET, "anonymous_elizaos": False})


@pytest.fixture
def unknown() -> Estate:
    return Estate(ids={name: new_id() for name in NOUNS})


@pytest.mark.parametrize("key", ["", "unknown", "inturn_unknown", signed(sub="ada") + "A"])
async def test_every_route_wants_to_know_who_asks(
    http: httpx.AsyncClient, unknown: Estate, key: str
) -> None:
    failures, asked = [], 0
    for route in every_route():
        if str(route) in OPEN:
            continue
        url = route.url(unknown.spelled(route.dialect.name))
        response = await Caller(http, key).call(route.method, url, route.body())
        asked += 1
        if response.status_code != 401 or not outcome(response).startswith("401 "):
            failures.append(f"{route}: {response.status_code}")
        if not response.headers.get("www-authenticate", "").startswith("Bearer"):
            failures.append(f"{route}: does not say how")
    assert failures == []
    assert asked > 70


@pytest.mark.parametrize("route", sorted(OPEN))
async def test_what_anybody_may_ask(http: httpx.AsyncClient, route: str) -> None:
    method, url = route.split()
    assert (await http.request(method, url)).is_success


async def test_only_admins_pass_where_only_admins_may(
    http: httpx.AsyncClient, platform: Platform, tenant: str, unknown: Estate
) -> None:
    callers = [
        await caller_of(http, platform, Scope.SERVICE, DEFAULT_TENANT),
        await caller_of(http, platform, Scope.USER, tenant, "ada"),
        Caller(http, signed(sub="ada")),
    ]
    routes = [each for each in every_route() if each.scope is Scope.ADMIN]
    failures = []
    for route in routes:
        for caller in callers:
            url = route.url(unknown.spelled(route.dialect.name))
            refused = await caller.refused(route.method, url, route.body())
            if not refused.startswith("403 "):
                failures.append(f"{route}: {refused}")
    assert failures == []
    assert len(routes) > 15
