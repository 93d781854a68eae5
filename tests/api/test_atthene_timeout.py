"""Atthene: executions that nobody waits for any longer, and rates."""

import pytest

from shared.bootstrap import Platform
from shared.settings import Settings
from tests.api.atthene import at, end_next, opened, problem
from tests.api.caller import Caller


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Where nobody waits for long, or asks too often."""
    update = {"sync_wait_seconds": 0.001, "session_rate_limit": "60/h;burst=3"}
    return settings.model_copy(update=update)


async def test_when_the_wait_passes_the_execution_goes_on(
    service: Caller, platform: Platform
) -> None:
    session = await opened(service)
    url, sent = at(session, "execute"), {"content": "hi"}
    response = await service.call("POST", url, sent, Idempotency_Key="k")
    assert response.status_code == 200
    body = response.json()
    assert (body["success"], body["status"]) == (False, "timeout")
    assert (body["completed_at"], body["message_id"]) == (None, None)
    assert body["error"]["type"] == "timeout_error"
    assert [each["content"] for each in body["messages"]] == ["hi"]
    await end_next(platform, session)
    listed = (await service.ok("GET", at(session, "messages")))["messages"]
    assert [each["content"] for each in listed] == ["hi", "yes"]
    again = await service.ok("POST", url, sent, Idempotency_Key="k")
    assert (again["status"], again["response"]["content"]) == ("completed", "yes")
    assert again["execution_id"] == body["execution_id"]


async def test_a_session_is_not_asked_too_often(service: Caller) -> None:
    url = at(await opened(service), "execute")
    for left in (2, 1, 0):
        response = await service.call("POST", url, {"content": "hi"})
        assert f'"session";r={left}' in response.headers["ratelimit"]
    refused = await service.call("POST", url, {"content": "hi"})
    assert problem(refused)[:2] == (429, "rate_limit_error")
    assert int(refused.headers["retry-after"]) in range(1, 61)
    assert '"session";r=0' in refused.headers["ratelimit"]
