"""A session's state: merged by whoever has read it, and copied to the session that goes on."""

from typing import Any

import httpx

from ingress.dialects.native.wire.state import seen
from shared.clock import monotonic
from tests.api.caller import Caller, Json, outcome

MERGE = "application/merge-patch+json"


async def opened(caller: Caller, **more: object) -> str:
    session: dict[str, str] = await caller.ok("POST", "/v1/sessions", {"agent": "echo", **more})
    return f"/v1/sessions/{session['id']}"


async def patched(caller: Caller, url: str, patch: Json, **headers: str) -> httpx.Response:
    return await caller.call("PATCH", f"{url}/state", patch, **headers)


async def test_a_state_is_merged_by_whoever_has_read_it(ada: Caller) -> None:
    url = await opened(ada)
    before = await ada.ok("GET", url)
    empty = await ada.call("GET", f"{url}/state")
    assert (empty.json(), empty.headers["etag"]) == ({"memory": {}, "tools": {}}, '"state-0"')
    patch = {"memory": {"name": "Ada", "pets": ["cat"]}, "tools": {"search": {"n": 5}, "mail": {}}}
    first = await patched(ada, url, patch, If_Match='"state-0"', Content_Type=MERGE)
    assert (first.json(), first.headers["etag"]) == (patch, '"state-1"')
    patch = {"memory": {"name": None, "pets": []}, "tools": {"mail": None, "search": {"m": 1}}}
    second = await patched(ada, url, patch, If_Match='W/"state-1", "x", "state-1"')
    merged = {"memory": {"pets": []}, "tools": {"search": {"n": 5, "m": 1}}}
    assert (second.json(), second.headers["etag"]) == (merged, '"state-2"')
    read = await ada.call("GET", f"{url}/state")
    assert (read.json(), read.headers["etag"]) == (merged, '"state-2"')
    same = await patched(ada, url, {"memory": {"pets": []}}, If_Match="*")
    assert same.headers["etag"] == '"state-2"'
    cleared = await patched(ada, url, {"memory": None, "tools": None}, If_Match='"state-2"')
    assert cleared.json() == {"memory": {}, "tools": {}}
    assert await ada.ok("GET", url) == before


async def test_who_has_not_read_it_changes_nothing(ada: Caller) -> None:
    url = await opened(ada)
    patch = {"memory": {"a": 1}}
    unread: list[dict[str, str]] = [{}, {"If_Match": ""}]
    for given in unread:
        assert outcome(await patched(ada, url, patch, **given)) == "428 precondition_required"
    for other in ('"state-1"', 'W/"state-0"', "state-0", '"native-1"', '"state-0'):
        refused = await patched(ada, url, patch, If_Match=other)
        assert outcome(refused) == "412 precondition_failed", other
    assert (await ada.ok("GET", f"{url}/state"))["memory"] == {}


def test_a_long_header_is_read_once() -> None:
    began = monotonic()
    for filling in (" ", "\t,", '"', '"" ', 'W/"', "a"):
        assert not seen(['"x"' + filling * 20_000 + "x"], 1)
    assert monotonic() - began < 1.0


async def test_of_two_who_have_read_the_same_one_wins(ada: Caller) -> None:
    url = await opened(ada)
    first = await patched(ada, url, {"memory": {"a": 1}}, If_Match='"state-0"')
    second = await patched(ada, url, {"memory": {"b": 1}}, If_Match='"state-0"')
    assert first.status_code == 200
    assert outcome(second) == "412 precondition_failed"


async def test_what_no_state_can_be_is_refused(ada: Caller) -> None:
    url = await opened(ada)
    await patched(ada, url, {"tools": {"t": {"x": "x" * 6_000}}}, If_Match="*")
    wrongs: list[tuple[Json, list[str]]] = [
        ({"memory": {"x": "x" * 60_000}}, ["body"]),
        ({"memory": "all"}, ["body", "memory"]),
        ({"tools": {"search": 5}}, ["body", "tools"]),
        ({"other": {}}, ["body", "other"]),
    ]
    for patch, loc in wrongs:
        response = await patched(ada, url, patch, If_Match="*")
        assert outcome(response) == "422 validation_failed"
        assert response.json()["errors"][0]["loc"] == loc
    assert (await ada.call("GET", f"{url}/state")).headers["etag"] == '"state-1"'


async def test_only_a_patch_is_a_merge_patch(ada: Caller) -> None:
    url = await opened(ada)
    refused = await ada.call("POST", "/v1/sessions", {"agent": "echo"}, Content_Type=MERGE)
    assert outcome(refused) == "415 unsupported_media_type"
    refused = await patched(ada, url, {}, If_Match="*", Content_Type="text/plain")
    assert outcome(refused) == "415 unsupported_media_type"


async def test_a_state_is_its_session_s(ada: Caller, bob: Caller) -> None:
    url = await opened(ada)
    assert await bob.refused("GET", f"{url}/state") == "404 not_found"
    assert outcome(await patched(bob, url, {}, If_Match="*")) == "404 not_found"
    await ada.ok("DELETE", url)
    assert await ada.refused("GET", f"{url}/state") == "404 not_found"
    assert outcome(await patched(ada, url, {}, If_Match="*")) == "404 not_found"


async def test_a_session_goes_on_from_another(
    ada: Caller, service: Caller, admin: Caller, bob: Caller
) -> None:
    url = await opened(ada)
    old = url.rpartition("/")[2]
    state = {"memory": {"name": "Ada"}, "tools": {"t": {"n": 1}}}
    await patched(ada, url, state, If_Match="*")
    for caller in (ada, service, admin):
        made = await caller.ok("POST", "/v1/sessions", {"continue_from": old, "metadata": {"a": 1}})
        assert (made["agent"], made["user_id"], made["metadata"]) == ("echo", "ada", {"a": 1})
        assert made["message_count"] == 0
        url = f"/v1/sessions/{made['id']}"
        assert await ada.ok("GET", url) == made
        kept = await ada.call("GET", f"{url}/state")
        assert (kept.json(), kept.headers["etag"]) == (state, '"state-0"')
    await ada.ok("POST", "/v1/sessions", {"continue_from": old, "agent": "echo", "user_id": "ada"})

    async def refused(caller: Caller, **body: Any) -> str:  # noqa: ANN401
        return await caller.refused("POST", "/v1/sessions", {"continue_from": old, **body})

    assert await refused(bob) == "404 not_found"
    assert await refused(ada, agent="nobody") == "404 not_found"
    assert await refused(service, user_id="bob") == "422 validation_failed"
    other = await admin.ok("POST", "/v1/agents", {"name": f"heir of {old}", "kind": "echo"})
    assert await refused(ada, agent=other["id"]) == "422 validation_failed"
    assert await refused(ada, continue_from="sess_" + "0" * 32) == "404 not_found"
    await ada.ok("DELETE", f"/v1/sessions/{old}")
    assert await refused(ada) == "404 not_found"


async def test_a_session_has_an_agent_or_goes_on(ada: Caller) -> None:
    response = await ada.call("POST", "/v1/sessions", {"metadata": {}})
    assert outcome(response) == "422 validation_failed"
    assert response.json()["errors"] == [{"loc": ["body", "agent"], "msg": "is required"}]
