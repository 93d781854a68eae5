"""A session that is busy, in four contracts: each waits its turn, and is refused in its words."""

import asyncio

import pytest

from shared.bootstrap import Platform
from shared.domain.message import Reply
from shared.domain.outcome import Failed, Succeeded
from shared.domain.paging import Page
from shared.domain.principal import Principal
from shared.domain.requests import RunFilter
from shared.domain.run import RunError, RunStatus
from shared.ids import SessionId
from shared.settings import Settings
from tests.api.caller import Caller, outcome
from tests.api.performer import Performer
from tests.api.test_surfaces_lifetimes import SENDING, atthene, native, powabase
from tests.api.tongues import NATIVE, TONGUES, Tongue

FULL = {
    "native": "429 session_queue_full",
    "elizaos": "429 RATE_LIMIT_EXCEEDED",
    "powabase": "429 This session already has 2 queued runs; wait for some to end.",
    "atthene": "429 rate_limit_error",
}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"max_queued_per_session": 2})


async def glance(caller: Caller, session_id: SessionId) -> tuple[str, str, str]:
    """How the session, or its last run, stands in the three contracts that say so."""
    of_powabase = await caller.ok("GET", powabase(session_id, "/runs"))
    return (
        (await caller.ok("GET", native(session_id)))["status"],
        of_powabase["runs"][-1]["status"],
        (await caller.ok("GET", atthene(session_id, "status")))["status"],
    )


async def test_where_a_session_stands_is_said_in_the_words_of_each(
    service: Caller, performer: Performer
) -> None:
    session_id = await NATIVE.open(service)
    url, body = SENDING["native"](session_id)
    run_id = (await service.ok("POST", url, body))["run"]["id"]
    assert await glance(service, session_id) == ("queued", "pending", "processing")
    await performer.start(run_id)
    assert await glance(service, session_id) == ("running", "running", "processing")
    await performer.end(run_id, Succeeded(reply=Reply(content="done")))
    assert await glance(service, session_id) == ("idle", "completed", "active")
    run_id = (await service.ok("POST", url, body))["run"]["id"]
    await performer.start(run_id)
    await performer.end(run_id, Failed(error=RunError(code="broken", message="It broke.")))
    assert await glance(service, session_id) == ("error", "failed", "error")
    run_id = (await service.ok("POST", url, body))["run"]["id"]
    await service.ok("POST", f"/v1/runs/{run_id}/cancel")
    assert await glance(service, session_id) == ("idle", "failed", "active")


@pytest.mark.parametrize("tongue", TONGUES, ids=str)
async def test_who_comes_while_it_is_busy_waits_for_its_turn(
    service: Caller, performer: Performer, owner: Principal, tongue: Tongue
) -> None:
    session_id = await NATIVE.open(service)
    url, body = SENDING["native"](session_id)
    first = (await service.ok("POST", url, body))["run"]["id"]
    await performer.start(first)
    late = asyncio.ensure_future(tongue.say(service, session_id, "me too"))
    await until_queued(performer.platform, owner)
    await performer.end(first, Succeeded(reply=Reply(content="first")))
    await performer.answer_next(owner, "second")
    assert await late == "second"
    # Where turns are put together, a question stands before its answer; else as it was posted.
    one, two, first_answer, second_answer = (
        ("user", "hi"), ("user", "me too"), ("assistant", "first"), ("assistant", "second"),
    )  # fmt: skip
    turns = [one, first_answer, two, second_answer]
    posted = [one, two, first_answer, second_answer]
    expected = turns if tongue.name == "powabase" else posted
    assert await tongue.read(service, session_id) == expected


async def until_queued(platform: Platform, owner: Principal) -> None:
    filters = RunFilter(status=RunStatus.QUEUED)
    async with asyncio.timeout(10):
        while not (await platform.runs.list(owner, filters, Page(limit=1))).data:
            pass


@pytest.mark.parametrize("tongue", TONGUES, ids=str)
async def test_a_full_queue_is_told_in_the_words_of_each(service: Caller, tongue: Tongue) -> None:
    session_id = await NATIVE.open(service)
    for _ in range(2):
        await service.ok("POST", native(session_id, "/messages"), {"content": "hi"})
    url, body = SENDING[tongue.name](session_id)
    answer = await service.call("POST", url, body)
    assert outcome(answer) == FULL[tongue.name]
    assert int(answer.headers["retry-after"]) > 0
