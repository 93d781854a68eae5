"""The contracts that ignore what they do not know: what they do read is refused when it is wrong.

A 4xx in the contract's own shape, never our fault, and nothing stored.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ingress.app import create_app
from shared.bootstrap import Platform
from shared.ids import new_id
from shared.settings import Settings
from tests.api.caller import Caller, broken_promises, document, outcome
from tests.api.estate import AGENT, NOUNS, Estate, build, rows
from tests.api.routes import Route, every_route
from tests.api.wrong_texts import RAW_BODIES, texts
from tests.api.wrongs import wrongs

DIALECTS = ("elizaos", "atthene", "powabase")

# Wrong, and yet taken, because the contract says so.
FORGIVEN = (
    r".* \?\w+ twice",  # the first one counts
    r"GET /api/(messaging|agents|sessions).* \?(limit|offset) (?!NUL|lone).*",  # or the default
    r"POST /api/messaging/.*/messages attachments\.0\.(name|mimeType|size) (wrong type|a boolean)",
    r"POST /api/messaging/.*/messages (transport null|mode .*)",
    r"POST /api/messaging/sessions timeoutConfig null",
    r"POST /api/messaging/sessions timeoutConfig\.\w+ (wrong type|null|a number|a boolean)",
    r"PATCH /api/messaging/.*/timeout \w+Minutes wrong type",  # "5" is 5
    r"POST /api/v1/sessions agents missing",  # then the session is of one agent
    r"GET /api/agents/.*/sessions \?(min|max)_runs (empty|2\^63)",
    r"(POST|PATCH) /api/agents\S* \w+ null",  # which is as good as absent
)
AGENT_ID = "agentId"  # of an agent that there is, or the rest would never be looked at


@dataclass(frozen=True, kw_only=True)
class Wrong:
    """A request that is right but for one thing."""

    route: Route
    kind: str
    at: str = ""
    url: str
    content: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        text = (self.content or b"")[:150]
        return f"{self.route} {self.at} {self.kind}: {self.url} {text!r} {self.headers or ''}"

    @property
    def forgiven(self) -> bool:
        return any(re.fullmatch(each, f"{self.route} {self.at} {self.kind}") for each in FORGIVEN)


def all_wrong(route: Route, ids: dict[str, str]) -> Iterator[Wrong]:
    """List wrong requests of a route."""
    right, url = _encoded(_with_agent(route.body())), route.url(ids)
    for parameter in route.parameters:
        name = parameter["name"]
        for kind, text in texts(document(route.dialect.name), parameter):
            if parameter["in"] == "path":
                changed = route.url(ids | {name: text})
                yield Wrong(route=route, kind=kind, at=f"/{name}", url=changed, content=right)
            elif parameter["in"] == "query":
                changed = f"{url}?{name}={text}"
                yield Wrong(route=route, kind=kind, at=f"?{name}", url=changed, content=right)
            else:
                given = {name: text}
                yield Wrong(route=route, kind=kind, at=name, url=url, content=right, headers=given)
    if route.body_schema is not None:
        yield from _bodies(route, url, route.body_schema)


def _bodies(route: Route, url: str, schema: dict[str, Any]) -> Iterator[Wrong]:
    for kind, _, raw in RAW_BODIES:
        yield Wrong(route=route, kind=f"{kind} body", url=url, content=raw)
    plain = {"Content-Type": "text/plain"}
    yield Wrong(route=route, kind="text", url=url, content=b"{}", headers=plain)
    for wrong in wrongs(document(route.dialect.name), schema):
        if wrong.kind != "unknown field":  # which is no mistake here
            at, whole = ".".join(map(str, wrong.loc)), wrong.loc[:1] == (AGENT_ID,)
            content = _encoded(wrong.value if whole else _with_agent(wrong.value))
            yield Wrong(route=route, kind=wrong.kind, at=at, url=url, content=content)


def _with_agent(body: Any) -> Any:  # noqa: ANN401  (JSON)
    known = isinstance(body, dict) and AGENT_ID in body
    return body | {AGENT_ID: AGENT} if known else body


def _encoded(body: Any) -> bytes | None:  # noqa: ANN401  (JSON)
    return None if body is None else json.dumps(body).encode()


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"sync_wait_seconds": 0.01})


@pytest.fixture
def app(settings: Settings, platform: Platform) -> ASGIApp:
    """Streams end as soon as they begin: what is taken would have nobody to answer it."""
    inner = create_app(settings, platform)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        cut = False

        async def say(message: Message) -> None:
            nonlocal cut
            if cut:
                return
            await send(message)
            if (b"content-type", b"text/event-stream") in message.get("headers", ()):
                cut = True
                await send({"type": "http.response.body", "body": b""})

        await inner(scope, receive, say)

    return app


@pytest.fixture
async def estate(admin: Caller, platform: Platform) -> Estate:
    return await build(admin, platform)


async def send(caller: Caller, wrong: Wrong) -> httpx.Response:
    headers = {"X-API-Key": caller.key, "Content-Type": "application/json"} | wrong.headers
    raw = {name.encode(): value.encode() for name, value in headers.items()}
    return await caller.http.request(
        wrong.route.method, wrong.url, content=wrong.content, headers=raw
    )


def complaints(wrong: Wrong, response: httpx.Response) -> Iterator[str]:
    """Say what is wrong with this answer to a wrong request."""
    if response.is_success or response.is_server_error:
        yield f"{wrong} -> {response.status_code} {response.text[:200]}"
        return
    try:
        outcome(response)
    except AssertionError as error:
        yield f"{wrong} -> {error}"
    yield from (f"{wrong} -> {each}" for each in broken_promises(response))


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_what_is_read_is_refused_when_it_is_wrong(
    dialect: str, admin: Caller, estate: Estate, settings: Settings
) -> None:
    routes = [each for each in every_route() if each.dialect.name == dialect]
    wrong = [each for route in routes for each in all_wrong(route, estate.spelled(dialect))]
    before, failures = await rows(settings), list[str]()
    for each in wrong:
        if not each.forgiven:
            failures += complaints(each, await send(admin, each))
    assert failures == [], "\n".join(failures)
    assert await rows(settings) == before
    kinds = Counter(each.kind for each in wrong if not each.forgiven)
    assert {"malformed body", "NUL", "lone surrogate", "wrong type", "over limit"} <= kinds.keys()
    for each in filter(lambda each: each.forgiven, wrong):
        response = await send(admin, each)
        assert response.status_code < 500 or response.status_code == 504, each
        assert broken_promises(response) == [], each


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_what_is_unknown_is_ignored(dialect: str, admin: Caller) -> None:
    nothing = Estate(ids={name: new_id() for name in NOUNS}).spelled(dialect)
    for route in [each for each in every_route() if each.dialect.name == dialect]:
        url, body = route.url(nothing), _with_agent(route.body())
        more = body | {"no_such_field": 1} if isinstance(body, dict) else body
        known = await admin.call(route.method, url, body)
        unknown = await admin.call(route.method, f"{url}?no_such=1&no_such=2", more)
        assert unknown.status_code == known.status_code, route
