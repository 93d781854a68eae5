"""A run that a human has to allow: paused, decided, resumed, or too late."""

import pytest

from shared.domain.errors import NotFound, NotWaiting, ValidationFailed
from shared.domain.execution import Claim, Refusal
from shared.domain.outcome import Paused
from shared.domain.principal import Principal, Scope
from shared.domain.requests import Decision
from shared.domain.run import Approval, Run, RunStatus
from shared.domain.session import Session, SessionStatus
from tests.platforms import House

PAY = Approval(call_id="1", tool="pay", arguments={"eur": 5})
MAIL = Approval(call_id="2", tool="mail", arguments=["x"])
DAY = 24 * 3600.0


async def paused(house: House) -> tuple[Session, Claim]:
    session, claim = await house.start()
    settled = await house.settle(claim, Paused(approvals=(PAY, MAIL)))
    assert settled.status is RunStatus.WAITING
    return session, claim


async def resume(house: House, claim: Claim, **said: bool) -> Run:
    decisions = tuple(Decision(call_id=each[1:], approved=word) for each, word in said.items())
    return await house.platform.runs.resume(house.me, claim.run_id, decisions)


async def test_a_paused_run_says_what_it_waits_for(house: House) -> None:
    session, claim = await paused(house)
    run, after = await house.run(claim.run_id), await house.look(session)
    assert (run.approvals, run.attempt) == ((PAY, MAIL), 0)
    assert run.waiting_for is not None
    assert (run.waiting_for.cause, run.waiting_for.detail) == (
        "approval", "Waiting for approval of: pay, mail",
    )  # fmt: skip
    assert run.waiting_for.until == run.attempts[0].ended_at + DAY * 1e6
    assert after.status is SessionStatus.WAITING
    assert after.active_run is not None
    assert (after.active_run.id, after.active_run.status) == (claim.run_id, RunStatus.WAITING)


async def test_a_waiting_run_keeps_its_session_busy_and_no_worker(house: House) -> None:
    session, claim = await paused(house)
    behind = await house.post(session)
    worker = await house.worker()
    for run_id in (claim.run_id, behind.run.id):
        refused = await house.platform.execution.claim(worker, run_id)
        assert refused is Refusal.NOT_CLAIMABLE
    assert behind.run.waiting_for is not None
    assert behind.run.waiting_for.run_id == claim.run_id


async def test_it_goes_on_once_everything_is_decided(house: House) -> None:
    session, claim = await paused(house)
    await house.post(session)
    assert (await resume(house, claim, _1=True)).status is RunStatus.WAITING
    run = await resume(house, claim, _2=False)
    assert (run.status, run.approvals[1].approved) == (RunStatus.QUEUED, False)
    again = await house.claim(await house.worker(), claim.run_id)
    assert (again.attempt, again.fence > claim.fence) == (1, True)
    assignment = await house.platform.execution.load(again)
    decided = [(each.call_id, each.approved) for each in assignment.approvals]
    assert decided == [("1", True), ("2", False)]
    assert (await house.look(session)).status is SessionStatus.RUNNING


async def test_a_reason_is_kept(house: House) -> None:
    _, claim = await paused(house)
    decision = Decision(call_id="1", approved=False, reason="too much")
    run = await house.platform.runs.resume(house.me, claim.run_id, (decision,))
    assert run.approvals[0].reason == "too much"


async def test_a_wrong_decision_changes_nothing(house: House) -> None:
    session, claim = await paused(house)
    before, seen = await house.run(claim.run_id), await house.look(session)
    with pytest.raises(ValidationFailed) as error:
        await resume(house, claim, _1=True, _9=True)
    assert error.value.errors[0].loc == ("body", "approvals", 1, "call_id")
    assert await house.run(claim.run_id) == before
    assert await house.look(session) == seen
    await resume(house, claim, _1=True)
    with pytest.raises(ValidationFailed):
        await resume(house, claim, _1=False)
    assert (await house.run(claim.run_id)).approvals[0].approved is True


async def test_only_a_waiting_run_of_ones_own_is_resumed(house: House) -> None:
    _, running = await house.start()
    with pytest.raises(NotWaiting):
        await resume(house, running, _1=True)
    _, claim = await paused(house)
    stranger = Principal(tenant="other", user_id=None, scope=Scope.SERVICE)
    with pytest.raises(NotFound):
        await house.platform.runs.resume(stranger, claim.run_id, ())


async def test_nobody_decided_in_time(house: House) -> None:
    session, claim = await paused(house)
    behind = await house.post(session)
    house.wait(DAY - 1)
    await house.platform.upkeep.sweep()
    assert (await house.run(claim.run_id)).status is RunStatus.WAITING
    house.wait(2)
    await house.platform.upkeep.sweep()
    run, after = await house.run(claim.run_id), await house.look(session)
    assert run.error is not None
    assert (run.status, run.error.code) == (RunStatus.FAILED, "approval_expired")
    assert after.last_run is not None
    assert after.last_run.error == run.error
    with pytest.raises(NotWaiting):
        await resume(house, claim, _1=True, _2=True)
    await house.claim(await house.worker(), behind.run.id)


async def test_it_may_pause_again_with_other_approvals(house: House) -> None:
    _, claim = await paused(house)
    await resume(house, claim, _1=True, _2=True)
    claim = await house.claim(await house.worker(), claim.run_id)
    third = Approval(call_id="3", tool="call", arguments=None)
    await house.settle(claim, Paused(approvals=(third,)))
    run = await resume(house, claim, _3=True)
    assert (run.status, [each.call_id for each in run.approvals]) == (RunStatus.QUEUED, ["3"])
