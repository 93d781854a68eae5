"""Webhooks, as a client sees them."""

import json
from typing import Any

from standardwebhooks import Webhook as Verifier

from shared.bootstrap import Platform
from shared.domain.webhook import Answer, Outgoing, Tried, judge
from tests.api.caller import Caller, outcome
from tests.api.performer import Performer
from workers.signing import headers

HOOK = {"url": "https://8.8.8.8/hook", "events": ["run.succeeded", "run.failed"]}
CALLBACK = "https://9.9.9.9/callback"


async def posted(caller: Caller, **more: str) -> str:
    session = await caller.ok("POST", "/v1/sessions", {"agent": "echo"})
    url = f"/v1/sessions/{session['id']}/messages"
    receipt = await caller.ok("POST", url, {"content": "hi", **more})
    return str(receipt["run"]["id"])


async def sent(platform: Platform, run: str, status: int = 200) -> Outgoing | None:
    """Deliver what is due to somebody who always answers the same; return what is about a run.

    What other tests have left in their database goes first.
    """
    found: Outgoing | None = None
    for _ in range(100):
        taken = await platform.delivering.take(room=50, share=50, rooms={}, hold_seconds=30)
        for each in taken:
            answer = Answer(milliseconds=3, status=status, excerpt="well")
            verdict = judge(each.attempt, answer, lambda low, _: low)
            await platform.delivering.record(Tried(outgoing=each, answer=answer, verdict=verdict))
        found = next((each for each in taken if run in each.body), None)
        if found or not taken:
            break
    return found


async def test_a_webhook_from_the_cradle_to_the_grave(service: Caller) -> None:
    response = await service.call("POST", "/v1/webhooks", HOOK | {"name": "billing"})
    made = response.json()
    secret = made.pop("secret")
    url = f"/v1/webhooks/{made['id']}"
    assert response.headers["location"] == url
    assert response.headers["cache-control"] == "no-store"
    assert secret.startswith("whsec_")
    assert made["id"].startswith("hook_")
    assert (made["enabled"], made["disabled_at"], made["name"]) == (True, None, "billing")
    assert await service.ok("GET", url) == made
    assert (await service.ok("GET", "/v1/webhooks"))["data"] == [made]
    change = {"url": "https://8.8.4.4/", "events": ["session.expired"], "name": None}
    changed = await service.ok("PATCH", url, change)
    assert changed.items() >= change.items()
    assert changed["updated_at"] >= made["updated_at"]
    disabled = await service.ok("PATCH", url, {"enabled": False})
    assert (disabled["enabled"], disabled["url"]) == (False, "https://8.8.4.4/")
    assert (await service.ok("PATCH", url, {"enabled": True}))["disabled_at"] is None
    await service.ok("DELETE", url)
    assert await service.refused("GET", url) == "404 not_found"
    assert secret not in json.dumps([made, changed, disabled])


async def test_a_secret_is_shown_once(service: Caller) -> None:
    first = await service.call("POST", "/v1/webhooks", HOOK, Idempotency_Key="one")
    again = await service.call("POST", "/v1/webhooks", HOOK, Idempotency_Key="one")
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json() == first.json() | {"secret": None}
    rotate = f"/v1/webhooks/{first.json()['id']}/rotate"
    rotated = await service.call("POST", rotate, {"overlap_seconds": 60}, Idempotency_Key="two")
    replayed = await service.call("POST", rotate, {"overlap_seconds": 60}, Idempotency_Key="two")
    assert rotated.json()["secret"] not in {None, first.json()["secret"]}
    assert replayed.json() == rotated.json() | {"secret": None}


async def test_what_is_sent_verifies_with_the_secret_that_was_shown(
    service: Caller, platform: Platform
) -> None:
    made = await service.ok("POST", "/v1/webhooks", HOOK)
    run = await posted(service, correlation_id="order-7")
    await Performer(platform).answer(run, "done")
    rotated = await service.ok("POST", f"/v1/webhooks/{made['id']}/rotate")
    outgoing = await sent(platform, run)
    assert outgoing
    for secret in (made["secret"], rotated["secret"]):
        heard = Verifier(secret).verify(outgoing.body, headers(outgoing))
    assert heard["type"] == "run.succeeded"
    read = await service.ok("GET", f"/v1/runs/{run}")
    del read["attempts"]
    assert heard["data"]["run"] == read
    assert heard["data"]["correlation_id"] == "order-7"


async def test_the_log_is_read_and_delivered_again(service: Caller, platform: Platform) -> None:
    made = await service.ok("POST", "/v1/webhooks", HOOK)
    url = f"/v1/webhooks/{made['id']}/deliveries"
    runs = [await posted(service, correlation_id=f"c{n}") for n in range(3)]
    for run in runs:
        await Performer(platform).answer(run)
    await sent(platform, runs[2], status=500)
    first = await service.ok("GET", f"{url}?limit=2")
    second = await service.ok("GET", f"{url}?limit=2&cursor={first['next_cursor']}")
    logged = first["data"] + second["data"]
    assert [each["run_id"] for each in logged] == runs[::-1]
    assert second["next_cursor"] is None
    entry = logged[0]
    assert entry["status"] == "pending"
    assert entry["next_attempt_at"] > entry["created_at"]
    [attempt] = entry["attempts"]
    assert (attempt["status_code"], attempt["response"], attempt["error"]) == (500, "well", None)
    for query in ("status=pending&correlation_id=c2", f"run_id={runs[2]}"):
        assert (await service.ok("GET", f"{url}?{query}"))["data"] == [entry]
    assert (await service.ok("GET", f"{url}?status=delivered"))["data"] == []

    redeliver = f"{url}/{entry['id']}/redeliver"
    response = await service.call("POST", redeliver, Idempotency_Key="again")
    assert response.status_code == 202
    outgoing = await sent(platform, runs[2])
    assert outgoing
    assert headers(outgoing)["webhook-id"] == entry["id"]
    replayed = await service.call("POST", redeliver, Idempotency_Key="again")
    assert replayed.headers["idempotent-replayed"] == "true"
    assert replayed.json() == response.json()
    [again] = (await service.ok("GET", f"{url}?status=delivered"))["data"]
    assert [each["status_code"] for each in again["attempts"]] == [500, 200]
    await service.ok("PATCH", f"/v1/webhooks/{made['id']}", {"enabled": False})
    asked = await service.refused("POST", f"{url}/{entry['id']}/redeliver")
    assert asked == "409 webhook_disabled"


async def test_a_callback_has_a_log_and_a_secret_of_its_own(
    service: Caller, ada: Caller, platform: Platform
) -> None:
    run = await posted(service, callback_url=CALLBACK)
    shown = await service.ok("POST", "/v1/webhooks/callbacks/rotate")
    assert shown["id"] == "callbacks"
    await Performer(platform).answer(run)
    outgoing = await sent(platform, run)
    assert outgoing
    assert Verifier(shown["secret"]).verify(outgoing.body, headers(outgoing))
    log = "/v1/webhooks/callbacks/deliveries"
    [entry] = (await service.ok("GET", f"{log}?run_id={run}"))["data"]
    assert (entry["url"], entry["webhook_id"], entry["status"]) == (CALLBACK, None, "delivered")
    assert (await ada.ok("GET", log))["data"] == []
    again = f"{log}/{entry['id']}/redeliver"
    assert await ada.refused("POST", again) == "404 not_found"
    assert (await service.ok("POST", again))["status"] == "pending"


async def test_somebody_else_s_webhook_does_not_exist(ada: Caller, bob: Caller) -> None:
    made = await ada.ok("POST", "/v1/webhooks", HOOK)
    url = f"/v1/webhooks/{made['id']}"
    asked: list[tuple[str, str, Any]] = [
        ("GET", url, None),
        ("PATCH", url, {"name": "mine"}),
        ("DELETE", url, None),
        ("POST", f"{url}/rotate", None),
        ("GET", f"{url}/deliveries", None),
        ("POST", f"{url}/deliveries/delivery_{'0' * 32}/redeliver", None),
    ]
    for method, path, body in asked:
        assert await bob.refused(method, path, body) == "404 not_found", path
    assert (await bob.ok("GET", "/v1/webhooks"))["data"] == []
    assert await ada.refused(*asked[-1][:2]) == "404 not_found"


async def test_there_is_an_end_to_webhooks(ada: Caller) -> None:
    for _ in range(20):
        await ada.ok("POST", "/v1/webhooks", HOOK)
    assert await ada.refused("POST", "/v1/webhooks", HOOK) == "409 too_many_webhooks"


PRIVATE = [
    "http://127.0.0.1:8000/",
    "http://localhost/",
    "https://[::1]/",
    "http://169.254.169.254/latest/meta-data",
    "http://[::ffff:10.0.0.1]/",
    "http://2130706433/",
    "https://user:secret@example.org/",
    "https://example.org:22/",
    "http://",
]


async def test_a_url_where_nothing_may_be_sent_is_refused(service: Caller) -> None:
    for url in PRIVATE:
        response = await service.call("POST", "/v1/webhooks", HOOK | {"url": url})
        assert outcome(response) == "422 validation_failed", url
        assert response.json()["errors"][0]["loc"] == ["body", "url"]
    assert (await service.ok("GET", "/v1/webhooks"))["data"] == []


async def test_a_callback_where_nothing_may_be_sent_is_refused(service: Caller) -> None:
    url = "http://127.0.0.1:8000/"
    session = await service.ok("POST", "/v1/sessions", {"agent": "echo"})
    message = {"content": "hi", "callback_url": url}
    asked: list[tuple[str, Any, list[str]]] = [
        (f"/v1/sessions/{session['id']}/messages", message, ["body", "callback_url"]),
        (
            "/v1/schedules",
            {"session_id": session["id"], "message": message, "cron": "0 0 1 1 *"},
            ["body", "message", "callback_url"],
        ),
    ]
    for path, body, loc in asked:
        response = await service.call("POST", path, body)
        assert outcome(response) == "422 validation_failed"
        assert response.json()["errors"][0]["loc"] == loc
    assert (await service.ok("GET", "/v1/runs"))["data"] == []


async def test_a_private_callback_in_a_batch_is_refused_at_its_place(service: Caller) -> None:
    session = await service.ok("POST", "/v1/sessions", {"agent": "echo"})
    item = {"session_id": session["id"], "content": "hi"}
    items = [item, item | {"callback_url": "http://10.0.0.1"}, item | {"callback_url": CALLBACK}]
    results = (await service.ok("POST", "/v1/messages:batch", items))["results"]
    assert [each["status"] for each in results] == [202, 422, 202]
    assert results[1]["error"]["errors"][0]["loc"] == ["body", 1, "callback_url"]


async def test_a_name_that_does_not_resolve_may_do_so_later(service: Caller) -> None:
    await service.ok("POST", "/v1/webhooks", HOOK | {"url": "https://nowhere.invalid/hook"})


async def test_events_that_make_no_sense_are_refused(service: Caller) -> None:
    for events in ([], ["run.exploded"], ["run.failed", "run.failed"], "run.failed", None):
        asked = await service.refused("POST", "/v1/webhooks", HOOK | {"events": events})
        assert asked == "422 validation_failed"
