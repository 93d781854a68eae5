"""ElizaOS: the same key is answered alike, and what comes too late or too often says so."""

from collections.abc import Awaitable, Callable

import pytest

from shared.bootstrap import Platform
from shared.domain.living import Living
from shared.domain.principal import Principal
from shared.ids import SessionId
from shared.settings import Settings
from tests.api.caller import Caller, outcome
from tests.api.eliza import ADA, ECHO, SESSIONS, Body, at, opened, wait

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


@pytest.mark.parametrize("how", ["expires", "ends"])
async def test_what_is_over_by_the_time_a_message_is_stored_takes_none(
    how: str, service: Caller, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await opened(service)
    ends: dict[str, Callable[[], Awaitable[object]]] = {
        "expires": lambda: _expire(platform),
        "ends": lambda: service.ok("DELETE", at(session)),
    }
    look = platform.lifetimes.get

    async def get(principal: Principal, session_id: SessionId) -> Living:
        living = await look(principal, session_id)
        await ends[how]()
        return living

    monkeypatch.setattr(platform.lifetimes, "get", get)
    expected = {"expires": "410 SESSION_EXPIRED", "ends": "404 SESSION_NOT_FOUND"}
    url = f"{at(session)}/messages"
    assert await service.refused("POST", url, {"content": "hi"}) == expected[how]
    assert await messages(service, session) == 0


async def _expire(platform: Platform) -> None:
    wait(platform, 31)


async def messages(service: Caller, session: Body) -> int:
    read = await service.ok("GET", f"/v1/sessions/{session['sessionId']}")
    return int(read["message_count"])
