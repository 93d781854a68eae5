"""Who hears of what: written in the commit that makes it true, and heard by nobody else."""

import pytest

from shared.domain.lifetime import Expiry
from shared.domain.message import Reply
from shared.domain.outcome import Deferred, Failed, GivenBack, Outcome, Paused, Retrying, Succeeded
from shared.domain.principal import Principal, Scope
from shared.domain.run import Approval, RunError
from shared.domain.session import Session
from shared.domain.webhook import WebhookEvent
from shared.storage.schema import deliveries
from tests.contract.listener import ADA, URL, Listener
from tests.platforms import House

CALLBACK = "https://9.9.9.9/callback"
ERROR = RunError(code="agent_error", message="no")


@pytest.fixture
def listener(house: House) -> Listener:
    return Listener(house)


async def test_a_run_that_succeeded_is_told_with_its_answer(
    house: House, listener: Listener
) -> None:
    webhook, _ = await listener.subscribe()
    session, claim = await house.start("hello")
    await house.answer(claim, "world")
    [heard] = await listener.hear()
    run = heard["data"]["run"]
    assert heard["type"] == "run.succeeded"
    assert heard["timestamp"].endswith("Z")
    assert run["id"] == heard["data"]["run_id"] == f"run_{claim.run_id.hex}"
    assert run["session_id"] == heard["data"]["session_id"] == f"sess_{session.id.hex}"
    assert (run["status"], run["output"]["content"]) == ("succeeded", "world")
    assert heard["data"]["correlation_id"] == run["correlation_id"] == "test"
    assert heard["data"]["event_id"].startswith(f"{claim.seq}-")
    [logged] = await listener.log(webhook.id)
    assert (logged.status, logged.run_id, logged.url) == ("delivered", claim.run_id, URL)


@pytest.mark.parametrize(
    ("outcome", "event"),
    [
        (Succeeded(reply=Reply(content="yes")), "run.succeeded"),
        (Failed(error=ERROR), "run.failed"),
        (Paused(approvals=(Approval(call_id="c", tool="pay", arguments={}),)), "run.waiting"),
    ],
)
async def test_every_end_of_an_attempt_has_its_event(
    house: House, listener: Listener, outcome: Outcome, event: str
) -> None:
    await listener.subscribe()
    _, claim = await house.start()
    await house.settle(claim, outcome)
    [heard] = await listener.hear()
    assert heard["type"] == event
    assert heard["data"]["run"]["status"] == event.removeprefix("run.")


@pytest.mark.parametrize(
    "outcome",
    [Retrying(seconds=1, error=ERROR), Deferred(seconds=1, why="later"), GivenBack()],
)
async def test_what_goes_on_is_not_told(house: House, listener: Listener, outcome: Outcome) -> None:
    await listener.subscribe()
    _, claim = await house.start()
    await house.settle(claim, outcome)
    assert await house.count(deliveries) == 0


async def test_nobody_listens_and_nothing_is_written(house: House) -> None:
    _, claim = await house.start()
    settled = await house.answer(claim)
    assert not settled.notified
    assert await house.count(deliveries) == 0


async def test_only_what_was_asked_for_is_told(house: House, listener: Listener) -> None:
    await listener.subscribe(WebhookEvent.RUN_FAILED, WebhookEvent.RUN_CANCELLED)
    _, claim = await house.start()
    await house.answer(claim)
    assert await house.count(deliveries) == 0
    _, claim = await house.start()
    settled = await house.settle(claim, Failed(error=ERROR))
    assert settled.notified
    [heard] = await listener.hear()
    assert heard["data"]["run"]["error"]["code"] == "agent_error"


async def test_ends_without_a_worker_are_told(house: House, listener: Listener) -> None:
    await listener.subscribe()
    session = await house.session()
    cancelled = (await house.post(session)).run
    await house.platform.runs.cancel(house.me, cancelled.id, reason="no more")
    [heard] = await listener.hear()
    assert heard["type"] == "run.cancelled"
    assert heard["data"]["run"]["cancel"]["reason"] == "no more"
    assert heard["data"]["event_id"] is None  # it never said anything

    _, claim = await house.start()
    await house.settle(claim, Paused(approvals=(Approval(call_id="c", tool="pay", arguments={}),)))
    await listener.hear()
    house.wait(25 * 3600)
    await house.platform.upkeep.sweep()
    [heard] = await listener.hear()
    assert heard["type"] == "run.failed"
    assert heard["data"]["run"]["error"]["code"] == "approval_expired"


async def test_a_session_that_expires_is_told_once(house: House, listener: Listener) -> None:
    await listener.subscribe(WebhookEvent.SESSION_EXPIRED)
    session = await house.session(expiry=Expiry(timeout_minutes=5), metadata={"a": 1})
    await house.platform.upkeep.sweep()
    assert await listener.take() == []
    house.wait(301)
    for _ in range(2):
        await house.platform.upkeep.sweep()
    [heard] = await listener.hear()
    assert heard["type"] == "session.expired"
    assert heard["data"]["session_id"] == f"sess_{session.id.hex}"
    assert heard["data"]["session"]["metadata"] == {"a": 1}
    assert "run_id" not in heard["data"]


async def test_a_deleted_session_tells_no_more_than_that_its_runs_ended(
    house: House, listener: Listener
) -> None:
    await listener.subscribe()
    session, claim = await house.start()
    queued = (await house.post(session)).run
    await house.answer(claim, "a secret")
    await house.platform.sessions.delete(house.me, session.id)
    heard = await listener.hear()
    assert {each["type"] for each in heard} == {"run.succeeded", "run.cancelled"}
    assert {each["data"]["run_id"] for each in heard} == {
        f"run_{claim.run_id.hex}",
        f"run_{queued.id.hex}",
    }
    assert all(each["data"]["run"] is None for each in heard)
    assert "a secret" not in str(heard)


async def test_each_hears_of_what_it_may_see(house: House) -> None:
    tenant = Principal(tenant=ADA.tenant, user_id=None, scope=Scope.SERVICE)
    backend = Principal(tenant=ADA.tenant, user_id="backend", scope=Scope.SERVICE)
    bob = Principal(tenant=ADA.tenant, user_id="bob", scope=Scope.USER)
    other = Principal(tenant="other", user_id="ada", scope=Scope.SERVICE)
    names = {"ada": ADA, "bob": bob, "tenant": tenant, "backend": backend, "other": other}
    hooks = {}
    for name, who in names.items():
        webhook, _ = await Listener(house, who).subscribe(url=f"https://{name}.example/")
        hooks[webhook.id] = name
    for user in ("ada", "bob", None):
        session = await house.session(user_id=user)
        run = (await house.post(session)).run
        await house.answer(await house.claim(await house.worker(), run.id))
    taken = await Listener(house).take()
    heard = sorted(hooks[each.webhook_id] for each in taken if each.webhook_id)
    assert heard == ["ada", *["backend"] * 3, "bob", *["tenant"] * 3]


async def test_a_callback_is_called_back_and_only_for_its_run(
    house: House, listener: Listener
) -> None:
    session = await house.session()
    called = (await house.post(session, callback_url=CALLBACK)).run
    other = (await house.post(session)).run
    worker = await house.worker()
    for run in (called, other):
        await house.answer(await house.claim(worker, run.id))
    [outgoing] = await listener.take()
    assert (outgoing.url, outgoing.webhook_id) == (CALLBACK, None)
    assert called.id.hex in outgoing.body
    [logged] = await listener.log()
    assert (logged.run_id, logged.status) == (called.id, "pending")
    assert await Listener(house, ADA).log() == []


async def test_a_callback_and_subscriptions_each_have_their_own(
    house: House, listener: Listener
) -> None:
    await listener.subscribe()
    await listener.subscribe(url="https://8.8.4.4/")
    session = await house.session()
    run = (await house.post(session, callback_url=CALLBACK)).run
    await house.platform.runs.cancel(house.me, run.id, reason=None)
    taken = await listener.take()
    assert len(taken) == len({each.id for each in taken}) == 3
    assert {each.url for each in taken} == {URL, "https://8.8.4.4/", CALLBACK}


async def test_a_run_that_is_tried_again_calls_back_again(house: House, listener: Listener) -> None:
    session = await house.session()
    run = (await house.post(session, callback_url=CALLBACK)).run
    await house.platform.runs.cancel(house.me, run.id, reason=None)
    again = await house.platform.runs.retry(house.me, run.id, correlation_id="again")
    await house.answer(await house.claim(await house.worker(), again.id))
    heard = await listener.hear()
    assert {(each["type"], each["data"]["correlation_id"]) for each in heard} == {
        ("run.cancelled", "test"),
        ("run.succeeded", "again"),
    }


async def test_a_batch_of_many_is_told_whole(house: House, listener: Listener) -> None:
    await listener.subscribe()
    worker = await house.worker(slots=100)
    sessions: list[Session] = [await house.session() for _ in range(20)]
    runs = [(await house.post(session)).run for session in sessions]
    for run in runs:
        await house.answer(await house.claim(worker, run.id))
    heard = await listener.hear()
    assert {each["data"]["run_id"] for each in heard} == {f"run_{run.id.hex}" for run in runs}
