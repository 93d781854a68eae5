"""Idempotency-Key over HTTP: the first answer again, status and body, whatever was created."""

import asyncio
import sqlite3
from typing import Any

import asyncpg
import httpx
import pytest

from shared.bootstrap import Platform
from shared.domain.errors import ValidationFailed
from shared.ids import new_id
from shared.settings import Settings
from tests.api.caller import Caller, Json, document, outcome
from tests.api.estate import rows
from tests.api.performer import Performer
from tests.api.promises import resolve
from tests.api.wrongs import example

REUSED = "422 idempotency_key_reused"
# What has to be there before anything can be created is made by tests of their own.
ELSEWHERE = {"/v1/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver"}


def creating() -> dict[str, Any]:
    """List the operations that take a key."""
    return {
        path: operations["post"]
        for path, operations in document()["paths"].items()
        if path not in ELSEWHERE
        and "post" in operations
        and any(
            resolve(document(), each)["name"] == "Idempotency-Key"
            for each in operations["post"]["parameters"]
        )
    }


def body_for(operation: dict[str, Any]) -> Json:
    content = operation["requestBody"]["content"]["application/json"]
    return example(document(), content["schema"])


@pytest.fixture
async def session(service: Caller) -> str:
    created = await service.ok("POST", "/v1/sessions", {"agent": "echo"})
    return str(created["id"])


@pytest.fixture
async def ids(admin: Caller, session: str) -> dict[str, str]:
    """Things that exist; the run can be tried again."""
    posted = await admin.ok("POST", f"/v1/sessions/{session}/messages", {"content": "hi"})
    run = posted["run"]["id"]
    await admin.ok("POST", f"/v1/runs/{run}/cancel")
    key = await admin.ok("POST", "/v1/keys", {"name": "spare", "scope": "service"})
    return {"session_id": session, "run_id": run, "key_id": key["id"]}


def special(path: str, ids: dict[str, str]) -> dict[str, Json]:
    """Name what an example cannot know: what is there, and what nobody has taken."""
    known = {
        "/v1/schedules": {"session_id": ids["session_id"]},
        "/v1/agents": {"name": f"agent {new_id()}"},
    }
    return known.get(path, {})


async def test_every_post_that_creates_creates_once(
    admin: Caller, ids: dict[str, str], settings: Settings
) -> None:
    for path, operation in creating().items():
        url, key, body = path.format_map(ids), new_id().hex, body_for(operation)
        if isinstance(body, dict):
            body |= special(path, ids)
        first = await admin.call("POST", url, body, Idempotency_Key=key)
        assert first.is_success, (path, first.text)
        assert "idempotent-replayed" not in first.headers
        stored = await rows(settings)
        again = await admin.call("POST", url, body, Idempotency_Key=key)
        assert again.headers["idempotent-replayed"] == "true", path
        assert shown(again) == shown(first), path
        other = [*body, *body] if isinstance(body, list) else {**body, "correlation_id": "other"}
        assert await admin.refused("POST", url, other, Idempotency_Key=key) == REUSED, path
        assert await rows(settings) == stored, path


def shown(response: httpx.Response) -> tuple[int, str | None, Json]:
    """Status, place and body, but for a secret, which is not shown twice."""
    body = response.json()
    if isinstance(body, dict):
        body.pop("key", None)
        body.pop("secret", None)
        for result in body.get("results", ()):
            result.pop("replayed", None)
    return response.status_code, response.headers.get("location"), body


async def test_fifty_identical_posts_make_one_run(service: Caller) -> None:
    session = await service.ok("POST", "/v1/sessions", {"agent": "echo"})
    url = f"/v1/sessions/{session['id']}/messages"
    answers = await asyncio.gather(
        *(service.call("POST", url, {"content": "hi"}, Idempotency_Key="k") for _ in range(50))
    )
    assert {each.status_code for each in answers} == {202}
    assert len({each.content for each in answers}) == 1
    assert sum("idempotent-replayed" in each.headers for each in answers) == 49
    assert len((await service.ok("GET", "/v1/runs"))["data"]) == 1


async def test_the_same_key_elsewhere_is_another_request(service: Caller, session: str) -> None:
    await service.ok("POST", "/v1/sessions", {"agent": "echo"}, Idempotency_Key="k")
    url = f"/v1/sessions/{session}/messages"
    assert await service.refused("POST", url, {"content": "hi"}, Idempotency_Key="k") == REUSED


async def test_a_refusal_is_not_remembered(service: Caller, session: str) -> None:
    nowhere = f"/v1/sessions/sess_{new_id().hex}/messages"
    there, body = f"/v1/sessions/{session}/messages", {"content": "hi"}
    for _ in range(2):
        refused = await service.refused("POST", nowhere, body, Idempotency_Key="k")
        assert refused == "404 not_found"
        refused = await service.refused("POST", there, {"content": ""}, Idempotency_Key="k")
        assert refused == "422 validation_failed"
    await service.ok("POST", there, body, Idempotency_Key="k")


async def test_everybody_has_keys_of_their_own(ada: Caller, bob: Caller) -> None:
    opened = [
        await each.ok("POST", "/v1/sessions", {"agent": "echo"}, Idempotency_Key="k")
        for each in (ada, bob, ada)
    ]
    assert opened[0] == opened[2]
    assert opened[0]["id"] != opened[1]["id"]


async def test_a_lesser_key_of_the_same_name_is_not_told_what_a_greater_one_was(
    admin: Caller, ada: Caller, tenant: str
) -> None:
    new = {"name": "ada's shop", "scope": "service", "tenant": tenant, "user_id": "ada"}
    shop = Caller(admin.http, (await admin.ok("POST", "/v1/keys", new))["key"])
    body = {"agent": "echo", "user_id": "bob"}
    await shop.ok("POST", "/v1/sessions", body, Idempotency_Key="k")
    assert await ada.refused("POST", "/v1/sessions", body, Idempotency_Key="k") == REUSED


async def test_what_was_answered_once_is_not_checked_again(
    admin: Caller,
    service: Caller,
    session: str,
    platform: Platform,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    agent = f"agent-{new_id()}"
    await admin.ok("POST", "/v1/agents", {"name": agent, "kind": "echo"})
    asked: list[tuple[str, Json]] = [
        ("/v1/sessions", {"agent": agent}),
        (f"/v1/sessions/{session}/messages", {"content": "x", "callback_url": "https://8.8.8.8"}),
    ]
    keys = [new_id().hex for _ in asked]
    answered = [
        await service.ok("POST", url, body, Idempotency_Key=key)
        for key, (url, body) in zip(keys, asked, strict=True)
    ]
    await admin.ok("DELETE", f"/v1/agents/{agent}")
    monkeypatch.setattr(platform.targets, "check", refuse)
    for key, (url, body), first in zip(keys, asked, answered, strict=True):
        assert await service.ok("POST", url, body, Idempotency_Key=key) == first
        assert (await service.refused("POST", url, body)).startswith("4")


async def refuse(*_: object) -> None:
    raise ValidationFailed.of(("body", "callback_url"), "not there any more")


@pytest.mark.parametrize("ends", ["before", "meanwhile"])
async def test_a_replay_that_prefers_to_wait_waits_on_the_first_run(
    service: Caller, platform: Platform, ends: str
) -> None:
    opened = await service.ok("POST", "/v1/sessions", {"agent": "echo"})
    url, body = f"/v1/sessions/{opened['id']}/messages", {"content": "hi"}
    first = await service.ok("POST", url, body, Idempotency_Key="k")
    performing = Performer(platform).answer(first["run"]["id"])
    if ends == "before":
        await performing
    asking = asyncio.create_task(
        service.call("POST", url, body, Idempotency_Key="k", Prefer="wait=9")
    )
    if ends == "meanwhile":
        await performing
    replay = await asking
    assert (replay.status_code, replay.headers["idempotent-replayed"]) == (200, "true")
    assert replay.headers["preference-applied"] == "wait=9"
    assert replay.json()["message"] == first["message"]
    assert replay.json()["run"]["output"]["content"] == "an answer"
    plain = await service.call("POST", url, body, Idempotency_Key="k")
    assert (plain.status_code, plain.json()) == (202, first)


@pytest.mark.parametrize("key", ["", "a b", "k\x7f", "k\xe9", "k\t", "k" * 256])
async def test_a_key_is_a_few_visible_characters(service: Caller, session: str, key: str) -> None:
    headers = {b"x-api-key": service.key.encode(), b"idempotency-key": key.encode("latin-1")}
    url = f"/v1/sessions/{session}/messages"
    response = await service.http.post(url, json={"content": "hi"}, headers=headers)
    assert outcome(response) == "422 validation_failed"
    assert response.json()["errors"][0]["loc"] == ["header", "Idempotency-Key"]


async def test_a_request_has_one_key(service: Caller, session: str) -> None:
    headers = [("x-api-key", service.key), ("idempotency-key", "a"), ("idempotency-key", "b")]
    url = f"/v1/sessions/{session}/messages"
    response = await service.http.post(url, json={"content": "hi"}, headers=headers)
    assert outcome(response) == "422 validation_failed"
    await service.ok("POST", url, {"content": "hi"}, Idempotency_Key="k" * 255)


async def test_where_nothing_is_created_a_key_changes_nothing(
    service: Caller, ids: dict[str, str]
) -> None:
    url = f"/v1/runs/{ids['run_id']}/cancel"
    for body in ({}, {"reason": "another body"}):
        response = await service.call("POST", url, body, Idempotency_Key="k")
        assert response.status_code == 200
        assert "idempotent-replayed" not in response.headers


async def test_a_secret_is_shown_once_and_stored_nowhere(admin: Caller, settings: Settings) -> None:
    key = new_id().hex
    body = {"name": "shop", "scope": "service"}
    first = await admin.ok("POST", "/v1/keys", body, Idempotency_Key=key)
    again = await admin.ok("POST", "/v1/keys", body, Idempotency_Key=key)
    assert first["key"].startswith(first["prefix"])
    assert again == first | {"key": None}
    assert all(first["key"] not in each for each in await kept(settings))


async def kept(settings: Settings) -> list[str]:
    """Read every remembered answer, by a connection of its own."""
    query = "SELECT response FROM idempotency_keys"
    if settings.sqlite:
        with sqlite3.connect(settings.data_dir / "inturn.db") as database:
            return [str(row) for row in database.execute(query)]
    connection = await asyncpg.connect(settings.database.replace("+asyncpg", ""))
    try:
        return [str(row) for row in await connection.fetch(query)]
    finally:
        await connection.close()
