"""Whoever has no business here learns nothing, whatever the contract: not even that it exists."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from shared.bootstrap import Platform
from shared.domain.principal import DEFAULT_TENANT, Scope
from shared.ids import new_id
from shared.settings import Settings
from tests.api.caller import Caller
from tests.api.estate import NOUNS, Estate, build, rows, statements
from tests.api.routes import Route, every_route
from tests.api.strangers import caller_of, strangers
from tests.tokens import SECRET

# What names a session only somewhere inside its body.
BODIES: dict[str, Any] = {
    "POST /v1/messages:batch": [{"session_id": "{session_id}", "content": "hi"}],
    "POST /v1/status:query": {"session_ids": ["{session_id}"]},
}
UNSHOWN = {"date", "content-length"}
ASKED_IN_ETAG = {"POST /v1/status:query"}  # its ETag says what was asked, not what was found
_TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")


@dataclass(frozen=True)
class Question:
    """A route, and what in it names what is another's: path, query or body."""

    route: Route
    query: str = ""
    body: Any = None

    def __str__(self) -> str:
        return f"{self.route}{self.query}"

    async def ask(self, caller: Caller, ids: Mapping[str, str]) -> httpx.Response:
        body = _filled(self.body, ids)
        url = self.route.url(ids) + self.query.format_map(ids)
        return await caller.call(self.route.method, url, body, X_Correlation_ID="c-1")


def questions() -> Iterator[Question]:
    for route in every_route():
        body = BODIES.get(str(route)) or route.body()
        if "session_id" in route.fields:
            yield Question(route, body=body | {"session_id": "{session_id}"})
        elif str(route) in BODIES or any(f"{{{name}}}" in route.template for name in NOUNS):
            yield Question(route, body=body)
        for name in sorted(set(route.queried) & NOUNS.keys()):
            yield Question(route, f"?{name}={{{name}}}", body)


def _filled(body: Any, ids: Mapping[str, str]) -> Any:  # noqa: ANN401  (JSON)
    text = json.dumps(body)
    for name, each in ids.items():
        text = text.replace(f"{{{name}}}", each)
    return json.loads(text)


def shown(
    question: Question, response: httpx.Response, ids: Mapping[str, str]
) -> tuple[object, ...]:
    """Say all that a caller sees, but for the id that was asked for and the time of day."""
    text = _TIME.sub("<time>", response.text)
    for name, each in ids.items():
        text = text.replace(each, f"<{name}>")
    unshown = UNSHOWN | ({"etag"} if str(question) in ASKED_IN_ETAG else set())
    headers = {name: each for name, each in response.headers.items() if name not in unshown}
    return response.status_code, headers, text


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"jwt_secret": SECRET, "anonymous_elizaos": True})


@pytest.fixture(autouse=True)
def _remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who was seen once is known for as long as the test takes: nobody is looked up in between."""
    for place in ("keys", "credentials"):
        monkeypatch.setattr(f"shared.service.{place}.TRUSTED_SECONDS", 3600.0)


@pytest.fixture
async def owner(http: httpx.AsyncClient, platform: Platform) -> Caller:
    """Of the tenant that tokens are of, too."""
    return await caller_of(http, platform, Scope.USER, DEFAULT_TENANT, f"owner-{new_id()}")


@pytest.fixture
async def estate(owner: Caller, platform: Platform) -> Estate:
    return await build(owner, platform)


async def test_a_stranger_is_told_what_is_told_of_nothing(
    http: httpx.AsyncClient, platform: Platform, estate: Estate, settings: Settings
) -> None:
    nothing = Estate(ids={name: new_id() for name in estate.ids})
    callers = await strangers(http, platform)
    before, failures, asked = await rows(settings), [], 0
    for who, caller in callers.items():
        for question in questions():
            dialect = question.route.dialect.name
            if who == "nobody" and dialect != "elizaos":
                continue
            told, cost = [], []
            for ids in (nothing.spelled(dialect), estate.spelled(dialect)):
                await question.ask(caller, nothing.spelled(dialect))  # what is looked up once
                with statements(platform) as heard:
                    told.append(shown(question, await question.ask(caller, ids), ids))
                cost.append(heard)
            asked += 1
            if told[0] != told[1]:
                failures.append(f"{who}: {question}: {told[0]} but {told[1]}")
            if len(cost[0]) != len(cost[1]):
                failures.append(f"{who}: {question}: {cost[0]} but {cost[1]}")
    assert failures == [], "\n".join(failures)
    assert await rows(settings) == before
    assert asked > 80


async def test_lists_hold_nothing_of_others(
    http: httpx.AsyncClient, platform: Platform, estate: Estate
) -> None:
    """Of whatever can be read without naming what is read."""
    secrets = [spelled for each in estate.ids.values() for spelled in (each.hex, str(each))]
    lists = [
        each
        for each in every_route()
        if each.method == "GET" and not any(f"{{{name}}}" in each.template for name in NOUNS)
    ]
    for caller in (await strangers(http, platform)).values():
        for route in lists:
            url = route.url(estate.spelled(route.dialect.name))
            response = await caller.call("GET", url)
            assert not [each for each in secrets if each in response.text], route
    assert len(lists) > 10


async def test_the_owner_is_told_more(owner: Caller, estate: Estate) -> None:
    """Else the strangers' answers would say nothing."""
    seen = [each for each in questions() if each.route.method == "GET" and not each.route.streams]
    found = [await each.ask(owner, estate.spelled(each.route.dialect.name)) for each in seen]
    hidden = [str(each) for each, response in zip(seen, found, strict=True) if response.is_error]
    assert hidden == []
    assert len(seen) > 10
