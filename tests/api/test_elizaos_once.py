"""ElizaOS: the same key is answered alike, and what may be sent too often says so."""

import pytest

from shared.settings import Settings
from tests.api.caller import Caller, outcome
from tests.api.eliza import ADA, ECHO, SESSIONS, at, opened

NEW = {"agentId": ECHO, "userId": ADA}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"session_rate_limit": "60/h;burst=3"})


async def test_a_session_is_created_once(service: Caller) -> None:
    first = await service.call("POST", SESSIONS, NEW, Idempotency_Key="a")
    again = await service.call("POST", SESSIONS, NEW, Idempotency_Key="a")
    assert (again.status_code, again.json()) == (201, first.json())
    assert again.headers["idempotent-replayed"] == "true"
    other = NEW | {"metadata": {"x": 1}}
    assert await service.refused("POST", SESSIONS, other, Idempotency_Key="a") == (
        "400 VALIDATION_ERROR"
    )
    assert (await service.ok("GET", SESSIONS))["total"] == 1


async def test_a_message_is_sent_once_even_to_a_session_that_is_gone(service: Caller) -> None:
    session = await opened(service)
    url = f"{at(session)}/messages"
    first = await service.ok("POST", url, {"content": "hi"}, Idempotency_Key="a")
    await service.ok("DELETE", at(session))
    assert await service.ok("POST", url, {"content": "hi"}, Idempotency_Key="a") == first
    assert await service.refused("POST", url, {"content": "hi"}, Idempotency_Key="b") == (
        "404 SESSION_NOT_FOUND"
    )


async def test_what_is_left_is_on_every_answer(service: Caller) -> None:
    url = f"{at(await opened(service))}/messages"
    for left in (2, 1, 0):
        response = await service.call("POST", url, {"content": "hi"})
        assert response.headers["ratelimit"].startswith(f'"session";r={left};')
    response = await service.call("POST", url, {"content": "hi"})
    assert outcome(response) == "429 RATE_LIMIT_EXCEEDED"
    assert response.headers["retry-after"] == "60"
    assert response.headers["ratelimit"].startswith('"session";r=0;')
