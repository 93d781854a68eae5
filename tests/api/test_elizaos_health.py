"""ElizaOS: how the sessions do, for whoever asks."""

import httpx
import pytest

from shared.bootstrap import Platform
from shared.domain.errors import Unavailable
from shared.domain.living import Vitals
from shared.domain.principal import Principal
from tests.api.caller import Caller
from tests.api.eliza import SESSIONS, opened, wait


async def test_health_asks_for_no_credential(http: httpx.AsyncClient, service: Caller) -> None:
    anybody = Caller(http, "")
    health = await anybody.ok("GET", f"{SESSIONS}/health")
    assert list(health)[:5] == [
        "status", "activeSessions", "timestamp", "expiringSoon", "uptime",
    ]  # fmt: skip
    assert isinstance(health["uptime"], float)
    await opened(service)
    assert (await service.ok("GET", f"{SESSIONS}/health"))["activeSessions"] == 1
    wrong = Caller(http, "a-key-that-nobody-has")
    assert await wrong.refused("GET", f"{SESSIONS}/health") == "401 UNAUTHORIZED"


async def test_health_without_a_database(
    service: Caller, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(_: Principal | None) -> None:
        raise Unavailable("The database is away.")

    monkeypatch.setattr(platform.lifetimes, "health", away)
    response = await service.call("GET", f"{SESSIONS}/health")
    assert response.status_code == 503
    body = response.json()
    assert (body["status"], body["activeSessions"]) == ("unhealthy", 0)


@pytest.mark.parametrize(
    ("vitals", "expected"),
    [
        (Vitals(active=2, expiring_soon=1, invalid=0, late=False), {"status": "healthy"}),
        (Vitals(active=2, expiring_soon=1, invalid=0, late=True), {"status": "degraded"}),
        (
            Vitals(active=2, expiring_soon=1, invalid=3, late=False),
            {"status": "degraded", "invalidSessions": 3},
        ),
    ],
)
async def test_who_is_not_well_is_served_all_the_same(
    vitals: Vitals,
    expected: dict[str, object],
    service: Caller,
    platform: Platform,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def found(_: Principal | None) -> Vitals:
        return vitals

    monkeypatch.setattr(platform.lifetimes, "health", found)
    health = await service.ok("GET", f"{SESSIONS}/health")
    del health["timestamp"], health["uptime"]
    assert health == {"activeSessions": 2, "expiringSoon": 1, **expected}


async def test_a_session_that_ends_soon_is_counted(service: Caller, platform: Platform) -> None:
    await opened(service)
    assert (await service.ok("GET", f"{SESSIONS}/health"))["expiringSoon"] == 0
    wait(platform, 27)
    assert (await service.ok("GET", f"{SESSIONS}/health"))["expiringSoon"] == 1
