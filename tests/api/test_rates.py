"""How often one may post: what is left is on every answer, and a refusal says until when."""

import re

import httpx
import pytest

from shared.bootstrap import Platform
from shared.settings import Settings
from tests.api.caller import Caller, document, outcome

SESSION = {"agent": "echo"}
HI = {"content": "hi"}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    rates = {
        "rate_limit": "9/h",
        "session_rate_limit": "60/h;burst=3",
        "user_rate_limit": "4/h",
    }
    return settings.model_copy(update=rates)


async def session(caller: Caller, **more: str) -> str:
    made = await caller.ok("POST", "/v1/sessions", SESSION | more)
    return f"/v1/sessions/{made['id']}/messages"


def limits(response: httpx.Response) -> dict[str, int]:
    """What is left, by policy; both fields must be lists of items as the draft spells them."""
    left = re.findall(r'"(\w+)";r=(\d+);t=\d+(?:, |$)', response.headers["ratelimit"])
    item = r'"\w+";q=[1-9]\d*;w=[1-9]\d*(;inturn-burst=[1-9]\d*)?'
    assert re.fullmatch(f"{item}(, {item})*", response.headers["ratelimit-policy"])
    assert response.headers["ratelimit"].count(";r=") == len(left)
    return {name: int(number) for name, number in left}


async def test_every_answer_says_what_is_left(ada: Caller) -> None:
    url = await session(ada)
    first = await ada.call("POST", url, HI)
    assert first.status_code == 202
    assert limits(first) == {"key": 8, "session": 2, "user": 3}
    assert first.headers["ratelimit-policy"] == (
        '"key";q=9;w=3600, "session";q=60;w=3600;inturn-burst=3, "user";q=4;w=3600'
    )
    assert '"session";r=2;t=60' in first.headers["ratelimit"]
    second = await ada.call("POST", url, HI)
    assert limits(second) == {"key": 7, "session": 1, "user": 2}


async def test_a_refusal_says_until_when_and_costs_nothing(ada: Caller) -> None:
    url = await session(ada)
    for _ in range(4):
        elsewhere = await session(ada)
        await ada.ok("POST", elsewhere, HI)
    for _ in range(2):
        refused = await ada.call("POST", url, HI)
        assert outcome(refused) == "429 rate_limited"
        assert limits(refused) == {"key": 5, "session": 3, "user": 0}
        assert 800 < int(refused.headers["retry-after"]) <= 900
        assert "This user may post 4 messages an hour" in refused.json()["detail"]
    assert (await ada.ok("GET", url))["data"] == []


async def test_a_replay_and_what_is_refused_anyway_cost_nothing(ada: Caller, bob: Caller) -> None:
    url = await session(ada)
    first = await ada.call("POST", url, HI, Idempotency_Key="once")
    again = await ada.call("POST", url, HI, Idempotency_Key="once")
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json() == first.json()
    foreign = await bob.call("POST", url, HI)
    assert outcome(foreign) == "404 not_found"
    assert "ratelimit" not in foreign.headers
    assert await ada.refused("POST", url, {"content": ""}) == "422 validation_failed"
    busy = await ada.call("POST", url, HI | {"on_busy": "reject"})
    assert outcome(busy) == "409 session_busy"
    assert limits(busy) == {"key": 8, "session": 2, "user": 3}
    assert limits(await ada.call("POST", url, HI)) == {"key": 7, "session": 1, "user": 2}


async def test_a_user_is_one_whoever_posts_and_nobody_has_no_rate(
    ada: Caller, service: Caller
) -> None:
    for caller in (service, ada, service, ada):
        await caller.ok("POST", await session(service, user_id="ada"), HI)
    refused = await service.call("POST", await session(service, user_id="ada"), HI)
    assert outcome(refused) == "429 rate_limited"
    assert limits(await service.call("POST", await session(service), HI)).keys() == {
        "key",
        "session",
    }


async def test_a_key_s_own_rate_wins(admin: Caller, tenant: str) -> None:
    async def key(rate_limit: str | None) -> Caller:
        new = {"name": "k", "scope": "service", "tenant": tenant, "rate_limit": rate_limit}
        return Caller(admin.http, (await admin.ok("POST", "/v1/keys", new))["key"])

    own, off, none = await key("1/h;burst=2"), await key("off"), await key(None)
    url = await session(own)
    assert limits(await own.call("POST", url, HI))["key"] == 1
    assert limits(await off.call("POST", await session(off), HI)).keys() == {"session"}
    assert limits(await none.call("POST", await session(none), HI))["key"] == 8
    for _ in range(2):
        response = await own.call("POST", url, HI)
    assert outcome(response) == "429 rate_limited"
    assert "This key may post 1 message an hour, 2 at once" in response.json()["detail"]


async def test_of_a_batch_each_message_counts_and_the_last_says_what_is_left(ada: Caller) -> None:
    one, two = [(await ada.ok("POST", "/v1/sessions", SESSION))["id"] for _ in range(2)]
    items = [HI | {"session_id": each} for each in (one, two, one, two, one)]
    response = await ada.call("POST", "/v1/messages:batch", items)
    results = response.json()["results"]
    assert [each["status"] for each in results] == [202, 202, 202, 202, 429]
    assert results[4]["error"]["code"] == "rate_limited"
    assert limits(response) == {"key": 5, "user": 0}
    alone = [{"session_id": one, "content": ""}, HI | {"session": SESSION}]
    response = await ada.call("POST", "/v1/messages:batch", alone)
    assert [each["status"] for each in response.json()["results"]] == [422, 429]


async def test_the_document_names_the_headers() -> None:
    paths = document()["paths"]
    for path in ("/v1/messages:batch", "/v1/sessions/{session_id}/messages"):
        for status, answered in paths[path]["post"]["responses"].items():
            named = {"RateLimit", "RateLimit-Policy"} <= answered.get("headers", {}).keys()
            assert named is (status in {"200", "202", "429"}), (path, status)


async def test_nothing_else_is_under_a_rate(ada: Caller) -> None:
    url = await session(ada)
    for method, path in (("GET", url), ("POST", "/v1/sessions"), ("GET", "/v1/runs")):
        response = await ada.call(method, path, SESSION if method == "POST" else None)
        assert response.is_success
        assert "ratelimit" not in response.headers


async def test_a_rate_survives_the_process(
    ada: Caller, settings: Settings, platform: Platform
) -> None:
    """The meter is a row: another process, or this one after a start, goes on counting."""
    assert (platform.settings.rate_limit, settings.user_rate_limit) == ("9/h", "4/h")
    for _ in range(4):
        await ada.ok("POST", await session(ada), HI)
    platform.keys.__init__(platform.keys._store, platform.rates)  # type: ignore[misc]  # noqa: SLF001
    assert await ada.refused("POST", await session(ada), HI) == "429 rate_limited"
