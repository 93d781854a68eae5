"""Events of somebody else, and ids of no event."""

import httpx

from shared.bootstrap import Platform
from tests.api.caller import Caller, outcome
from tests.api.performer import Performer
from tests.api.test_events import PAGE, STREAM, polled, posted


async def test_events_of_somebody_else_are_not_there(
    ada: Caller, bob: Caller, http: httpx.AsyncClient
) -> None:
    session, run = await posted(ada)
    for url in (f"/v1/sessions/{session}/events", f"/v1/runs/{run}/events"):
        assert await bob.refused("GET", url) == "404 not_found"
        assert outcome(await http.get(url)) == "401 unauthenticated"
    assert await polled(ada, f"/v1/runs/{run}/events") == ([], "0-0")


BAD_IDS = ["2-5", "4-1", "999-1", "x", "2", "2-", "-1", "2-1.0", "02-1", "9" * 30 + "-1"]


async def test_an_id_of_no_event_is_refused_wherever_it_stands(
    service: Caller, platform: Platform
) -> None:
    session, run = await posted(service)
    await posted(service, session)
    await Performer(platform).answer(run)
    for url in (f"/v1/runs/{run}/events", f"/v1/sessions/{session}/events"):
        for strange in BAD_IDS:
            for accept in (STREAM, PAGE):
                asked = await service.call("GET", f"{url}?after={strange}", Accept=accept)
                assert refusal(asked) == ["query", "after"], strange
                asked = await service.call("GET", url, Accept=accept, Last_Event_ID=strange)
                assert refusal(asked) == ["header", "Last-Event-ID"], strange


def refusal(response: httpx.Response) -> list[str]:
    assert outcome(response) == "422 validation_failed"
    [error] = response.json()["errors"]
    where: list[str] = error["loc"]
    return where
