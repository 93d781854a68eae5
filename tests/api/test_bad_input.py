"""Every field of every documented route, wrong in every way: refused by name, nothing changed."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from shared.settings import Settings
from tests.api.caller import Caller, Json, broken_promises, document, outcome
from tests.api.estate import rows
from tests.api.promises import resolve
from tests.api.routes import every_route
from tests.api.wrong_texts import RAW_BODIES, texts
from tests.api.wrongs import INVALID, NOT_JSON, Schema, example, wrongs

# Not refused for what is wrong with one item: tests/api/test_batch_items.py.
BATCHES = {"/v1/messages:batch"}


class Walk:
    """Sends wrong requests and remembers what it sent, and what was not refused as it should."""

    def __init__(self, admin: Caller, ids: dict[str, str]) -> None:
        self.admin = admin
        self.ids = ids
        self.visited: Counter[str] = Counter()
        self.failures: list[str] = []

    async def every_operation(self) -> None:
        for template, operations in document()["paths"].items():
            for method, operation in operations.items():
                await self.operation(method.upper(), template, operation)

    async def operation(self, method: str, template: str, operation: Schema) -> None:
        body = None
        if "requestBody" in operation:
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            body = example(document(), schema)
            if template not in BATCHES:
                await self.bodies(method, template, schema)
        for reference in operation["parameters"]:
            parameter = resolve(document(), reference)
            for kind, text in texts(document(), parameter):
                await self.parameter(method, template, operation, parameter, kind, text, body)
        await self.query(method, template, operation, "unknown parameter", "no_such=1", body)

    async def bodies(self, method: str, template: str, schema: Schema) -> None:
        url = template.format_map(self.ids)
        for wrong in wrongs(document(), schema):
            if not wrong.loc and wrong.kind == "null" and "anyOf" in schema:
                continue  # an optional body may be null
            content = json.dumps(wrong.value).encode()
            response = await self.send(wrong.kind, wrong.expected, method, url, content)
            if wrong.expected == INVALID:
                self.check_place(wrong.kind, response, ("body", *wrong.loc))
        for kind, expected, content in RAW_BODIES:
            await self.send(kind, expected, method, url, content)
        await self.send(
            "wrong media type", "415 unsupported_media_type", method, url, b"{}", "text/plain"
        )

    async def parameter(
        self,
        method: str,
        template: str,
        operation: Schema,
        parameter: Schema,
        kind: str,
        text: str,
        body: Json,
    ) -> None:
        name = parameter["name"]
        if parameter["in"] == "path":
            url = template.format_map(self.ids | {name: text})
            await self.send(kind, INVALID, method, url, encoded(body))
        elif parameter["in"] == "query":
            await self.query(method, template, operation, kind, f"{name}={text}", body)
        else:
            url = template.format_map(self.ids)
            headers = {name: text}
            await self.send(kind, INVALID, method, url, encoded(body), headers=headers)

    async def query(
        self, method: str, template: str, operation: Schema, kind: str, query: str, body: Json
    ) -> None:
        required = [
            f"{each['name']}=x"
            for each in operation["parameters"]
            if each.get("in") == "query" and each.get("required") and each["name"] not in query
        ]
        url = f"{template.format_map(self.ids)}?{'&'.join([*required, query])}"
        response = await self.send(kind, INVALID, method, url, encoded(body))
        self.check_place(kind, response, ("query", query.partition("=")[0]))

    async def send(
        self,
        kind: str,
        expected: str,
        method: str,
        url: str,
        content: bytes | None,
        media_type: str = "application/json",
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        self.visited[kind] += 1
        sent = {"X-API-Key": self.admin.key, **(headers or {})}
        if content is not None:
            sent["Content-Type"] = media_type
        raw = {name.encode(): value.encode() for name, value in sent.items()}
        response = await self.admin.http.request(method, url, content=content, headers=raw)
        what = f"{kind}: {method} {url} {(content or b'')[:200]!r} {headers or ''}"
        if response.is_success or outcome(response) != expected:
            self.failures.append(f"{what} -> {response.status_code} {response.text[:200]}")
        self.failures += [f"{what} -> {broken}" for broken in broken_promises(response)]
        return response

    def check_place(self, kind: str, response: httpx.Response, loc: tuple[str | int, ...]) -> None:
        """The error names the wrong place, what holds it or what is in it, and nothing else."""
        for error in response.json().get("errors", []):
            named = tuple(error["loc"])
            shared = min(len(named), len(loc))
            # The text of a query is looked at before it is taken apart.
            least = 1 if named == ("query",) else min(2, len(loc))
            if named[:shared] != loc[:shared] or len(named) < least:
                self.failures.append(f"{kind}: {loc} is wrong, {named} was blamed")


def encoded(body: Json) -> bytes | None:
    return None if body is None else json.dumps(body).encode()


@pytest.fixture
async def ids(admin: Caller) -> dict[str, str]:
    """Things that exist, so that nothing is refused for being unknown."""
    session = await admin.ok("POST", "/v1/sessions", {"agent": "echo"})
    posted = await admin.ok("POST", f"/v1/sessions/{session['id']}/messages", {"content": "hi"})
    key = await admin.ok("POST", "/v1/keys", {"name": "spare", "scope": "service"})
    repeated = {"session_id": session["id"], "message": {"content": "hi"}, "cron": "0 0 1 1 *"}
    schedule = await admin.ok("POST", "/v1/schedules", repeated)
    hook = {"url": "https://8.8.8.8", "events": ["run.failed"]}
    webhook = await admin.ok("POST", "/v1/webhooks", hook)
    return {
        "session_id": session["id"],
        "run_id": posted["run"]["id"],
        "key_id": key["id"],
        "schedule_id": schedule["id"],
        "webhook_id": webhook["id"],
        "delivery_id": f"delivery_{'0' * 32}",
        "agent": "echo",
        "pool": "default",
    }


async def test_every_field_of_every_route(
    admin: Caller, ids: dict[str, str], settings: Settings
) -> None:
    before = await rows(settings)
    walk = Walk(admin, ids)
    await walk.every_operation()
    assert walk.failures == [], "\n".join(walk.failures)
    assert await rows(settings) == before
    assert walk.visited.total() > 800, walk.visited
    for kind in ("wrong type", "null", "over limit", "NUL", "lone surrogate", "2^63"):
        assert walk.visited[kind] > 30, walk.visited
    assert walk.visited["unknown field"] > 10
    assert walk.visited["unknown parameter"] == sum(map(len, document()["paths"].values()))


async def test_the_walk_notices_what_is_not_refused(admin: Caller, ids: dict[str, str]) -> None:
    walk = Walk(admin, ids)
    await walk.send("fine", INVALID, "GET", "/v1/agents", None)
    await walk.send("other code", NOT_JSON, "GET", "/v1/agents?limit=0", None)
    response = await walk.send("other place", INVALID, "GET", "/v1/agents?limit=0", None)
    walk.check_place("other place", response, ("query", "cursor"))
    assert [each.partition(":")[0] for each in walk.failures] == [
        "fine",
        "other code",
        "other place",
    ]


def test_the_document_s_examples_are_examples_of_it() -> None:
    schemas: dict[str, Any] = document()["components"]["schemas"]
    assert {name for name, each in schemas.items() if "example" in each} >= {
        "NewSession",
        "NewMessage",
        "NewKey",
        "ResumeRun",
    }


def test_the_document_says_how_much_is_too_much() -> None:
    """Else nothing over the limit would be made of it."""
    asked = [each.body_schema for each in every_route() if each.dialect.name == "native"]
    unbounded = [each for schema in asked if schema for each in _unbounded(schema, "")]
    assert unbounded == []


def _unbounded(schema: Schema, at: str) -> Iterator[str]:
    schema = resolve(document(), schema)
    for each in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        yield from _unbounded(each, at)
    for name, each in schema.get("properties", {}).items():
        yield from _unbounded(each, f"{at}.{name}")
    if "items" in schema:
        yield from _unbounded(schema["items"], f"{at}[]")
    free = "properties" not in schema
    bounds = {"integer": {"maximum", "minimum"}, "array": {"maxItems"}}
    wanted = {"x-max-bytes"} if free and schema.get("type") == "object" else set()
    if missing := bounds.get(schema.get("type", ""), wanted) - schema.keys():
        yield f"{at}: {missing}"
