"""More than this server queues: whose bound it is, and when to come again."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from shared.settings import Settings
from tests.api.caller import Caller, outcome
from tests.platforms import migrate

HI = {"content": "hi"}


@pytest.fixture
def settings(settings: Settings, request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Small ones, over a database in which nobody else has left anything queued."""
    bounds: dict[str, Any] = {
        "max_queued_per_session": 2,
        "max_queued_per_principal": 4,
        "max_queued": 6,
    }
    if not settings.sqlite:
        bounds["database_url"] = request.getfixturevalue("new_database")()
        migrate(bounds["database_url"], tmp_path)
    return settings.model_copy(update=bounds)


async def session(caller: Caller) -> str:
    made = await caller.ok("POST", "/v1/sessions", {"agent": "echo"})
    return str(made["id"])


async def refusal(caller: Caller, session_id: str) -> tuple[str, str, str]:
    response = await caller.call("POST", f"/v1/sessions/{session_id}/messages", HI)
    said = response.json()["detail"]
    return outcome(response), response.headers["retry-after"], said


async def batch(caller: Caller, *session_ids: str) -> Counter[str]:
    items = [HI | {"session_id": each} for each in session_ids]
    answered = await caller.ok("POST", "/v1/messages:batch", items)
    return Counter(
        f"{each['status']} {each['error']['code']}" if each.get("error") else str(each["status"])
        for each in answered["results"]
    )


async def test_each_bound_has_its_own_answer(ada: Caller, bob: Caller) -> None:
    hers = [await session(ada) for _ in range(3)]
    for session_id in hers[:2]:
        for _ in range(2):
            await ada.ok("POST", f"/v1/sessions/{session_id}/messages", HI)
        if session_id == hers[0]:
            assert await refusal(ada, session_id) == (
                "429 session_queue_full",
                "5",
                "This session already has 2 queued runs; wait for some to end.",
            )
    assert await refusal(ada, hers[2]) == (
        "429 queue_full",
        "10",
        "You have 4 queued runs; wait for some to end.",
    )
    for _ in range(2):
        await bob.ok("POST", f"/v1/sessions/{await session(bob)}/messages", HI)
    assert await refusal(bob, await session(bob)) == (
        "503 overloaded",
        "30",
        "This server has too many queued runs; try later.",
    )


async def test_a_batch_meets_each_bound_at_the_item_that_is_one_too_many(
    ada: Caller, bob: Caller
) -> None:
    one, two, three = [await session(ada) for _ in range(3)]
    assert await batch(ada, one, one, one, two) == {"202": 3, "429 session_queue_full": 1}
    assert await batch(ada, two, three, three) == {"202": 1, "429 queue_full": 2}
    his = [await session(bob) for _ in range(3)]
    assert await batch(bob, *his) == {"202": 2, "503 overloaded": 1}
