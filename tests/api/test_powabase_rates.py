"""Powabase: too much is 429, says when to come back, and begins no session."""

import pytest

from shared.settings import Settings
from tests.api.caller import Caller
from tests.api.powabase import ECHO, opened

BODY = {"message": "hi"}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    bounds = {"rate_limit": "2/m", "max_queued_per_session": 1, "sync_wait_seconds": 0.01}
    return settings.model_copy(update=bounds)


async def test_who_asks_too_often_is_told_when_to_come_back(service: Caller) -> None:
    for left in (1, 0):
        response = await service.call("POST", f"{ECHO}/run", BODY)
        assert response.status_code == 504
        assert f'"key";r={left};' in response.headers["ratelimit"]
    for verb in ("run", "run/stream"):
        response = await service.call("POST", f"{ECHO}/{verb}", BODY)
        assert response.status_code == 429
        assert int(response.headers["retry-after"]) >= 1
        assert list(response.json()) == ["error"]
    assert (await service.ok("GET", f"{ECHO}/sessions"))["total"] == 2


async def test_a_line_that_is_full_is_429(service: Caller) -> None:
    session = await opened(service)
    body = BODY | {"session_id": session}
    assert (await service.call("POST", f"{ECHO}/run", body)).status_code == 504
    full = await service.call("POST", f"{ECHO}/run/stream", body)
    assert (full.status_code, list(full.json())) == (429, ["error"])
    assert full.headers["retry-after"]
    assert len((await service.ok("GET", f"/api/sessions/{session}/runs"))["runs"]) == 1
