"""Batches that come twice: keys of the items, and one for the batch."""

import pytest

from shared.ids import new_id
from shared.settings import Settings
from tests.api.caller import Caller, Json, outcome
from tests.api.estate import rows
from tests.api.test_batch import ITEM, array, contents, lines, results, send


@pytest.fixture
async def session(service: Caller) -> str:
    opened = await service.ok("POST", "/v1/sessions", {"agent": "echo"})
    return str(opened["id"])


async def test_items_have_keys_of_their_own(service: Caller, session: str) -> None:
    def item(content: str, key: str) -> Json:
        return {"session_id": session, "content": content, "idempotency_key": key}

    first = await results(service, *array([item("a", "1"), item("b", "2"), item("a", "1")]))
    assert [each.get("replayed") for each in first] == [None, None, True]
    assert first[2] == first[0] | {"index": 2, "replayed": True}
    again = await results(service, *lines([item("b", "2"), item("c", "1"), item("c", "3")]))
    assert again[0] == first[1] | {"index": 0, "replayed": True}
    assert again[1]["status"] == 422
    assert again[1]["error"]["code"] == "idempotency_key_reused"
    assert again[2]["status"] == 202
    assert await contents(service, session) == ["a", "b", "c"]


async def test_what_was_answered_once_is_not_checked_again(admin: Caller, service: Caller) -> None:
    agent = f"agent-{new_id()}"
    await admin.ok("POST", "/v1/agents", {"name": agent, "kind": "echo"})
    item = {"session": {"agent": agent}, "content": "x"}
    [first] = await results(service, *array([item | {"idempotency_key": "k"}]))
    await admin.ok("DELETE", f"/v1/agents/{agent}")
    again, new = await results(service, *array([item | {"idempotency_key": "k"}, item]))
    assert again == first | {"replayed": True}
    assert new["status"] == 404


async def test_a_batch_with_a_key_is_accepted_once(service: Caller, settings: Settings) -> None:
    items = [ITEM, {"session_id": f"sess_{new_id().hex}", "content": "x"}, ITEM]
    content, media_type = array(items)
    key = {"Idempotency-Key": "k"}
    first = await send(service, content, media_type, **key)
    stored = await rows(settings)
    again = await send(service, content, media_type, **key)
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    before, after = first.json()["results"], again.json()["results"]
    assert [each["status"] for each in before] == [202, 404, 202]
    assert after == [before[0] | {"replayed": True}, before[1], before[2] | {"replayed": True}]
    assert await rows(settings) == stored
    reused = await send(service, content + b" ", media_type, **key)
    assert outcome(reused) == "422 idempotency_key_reused"
    assert await rows(settings) == stored
