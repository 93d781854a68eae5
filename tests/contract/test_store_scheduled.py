"""`not_before`: a place in the line when it is due, and none before."""

import itertools
from typing import Any

import pytest

from shared.domain.errors import SessionQueueFull
from shared.domain.paging import Page
from shared.domain.requests import Accepted, MessageFilter, RunFilter, SessionFilter
from shared.domain.run import OnBusy, Run, RunStatus
from shared.domain.session import Session, SessionStatus
from shared.storage import instants
from shared.storage.schema import runs
from tests.platforms import House

HOUR = 3600.0


async def later(house: House, session: Session, content: str = "later", **more: Any) -> Accepted:  # noqa: ANN401
    not_before = await house.at(HOUR)
    return await house.post(session, content, not_before=not_before, **more)


async def pass_(house: House, seconds: float) -> None:
    house.wait(seconds)
    await house.platform.upkeep.due()


async def listed(house: House, session: Session) -> tuple[Run, ...]:
    filters = RunFilter(session_id=session.id)
    return (await house.platform.runs.list(house.me, filters, Page())).data


def cause(run: Run) -> str | None:
    return run.waiting_for.cause if run.waiting_for else None


async def test_what_is_not_due_holds_nobody_up(house: House) -> None:
    session = await house.session()
    scheduled = await later(house, session)
    assert cause(await house.run(scheduled.run.id)) == "not_before"
    assert (scheduled.run.seq, cause(scheduled.run)) == (None, "not_before")
    seen = await house.look(session)
    assert (seen.status, seen.queue_depth, seen.message_count) == (SessionStatus.IDLE, 1, 0)
    now = await house.post(session, "now", on_busy=OnBusy.REJECT)
    assert cause(now.run) == "queue_depth"
    claim = await house.claim(await house.worker(), now.run.id)
    await house.answer(claim)
    assert (await house.look(session)).status is SessionStatus.IDLE
    found = await house.platform.sessions.list(
        house.me, SessionFilter(status=SessionStatus.IDLE), Page()
    )
    assert [each.id for each in found.data] == [session.id]


async def test_its_messages_are_in_no_list_until_it_is_due(house: House) -> None:
    session = await house.session()
    scheduled = await later(house, session, "later")
    assert await house.messages(session) == []
    traced = MessageFilter(correlation_id="test")
    assert (await house.platform.messages.list(house.me, traced, Page())).data == ()
    await house.post(session, "now")
    await pass_(house, HOUR)
    await house.post(session, "after")
    said = await house.messages(session)
    assert [m.content for m in said] == ["now", "later", "after"]
    assert said[1].id == scheduled.message.id
    assert all(a.created_at < b.created_at for a, b in itertools.pairwise(said))
    assert (await house.look(session)).message_count == 3


async def test_due_runs_join_the_tail_in_the_order_of_their_instants(house: House) -> None:
    session = await house.session("historian")
    times = [3 * HOUR, HOUR, 2 * HOUR]
    made = [await house.post(session, f"{t}", not_before=await house.at(t)) for t in times]
    head = await house.post(session, "head")
    await pass_(house, 4 * HOUR)
    order = [head, made[1], made[2], made[0]]
    placed = [run for run in await listed(house, session) if run.seq is not None]
    assert [run.id for run in placed] == [each.run.id for each in order]
    assert [cause(run) for run in placed] == ["no_worker", *["session_busy"] * 3]
    worker = await house.worker()
    for expected, each in enumerate(order):
        claim = await house.claim(worker, each.run.id)
        assert len((await house.platform.execution.load(claim)).context) == 2 * expected
        await house.answer(claim)
    assert [m.role for m in await house.messages(session)] == ["user"] * 4 + ["assistant"] * 4


async def test_a_due_run_is_announced_and_its_session_told(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await house.session()
    await later(house, session)
    moved: list[object] = []
    monkeypatch.setattr(house.platform.upkeep._signals, "moved", moved.append)  # noqa: SLF001
    before = await house.look(session)
    house.said.clear()
    await pass_(house, HOUR)
    assert house.said == ["default"]
    assert moved == [session.id]
    assert (await house.look(session)).version > before.version


async def test_more_than_a_round_is_due_at_once(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    for query in ("_DUE", "_LATE"):
        monkeypatch.setattr(instants, query, getattr(instants, query).limit(2))
    monkeypatch.setattr(instants, "_A_ROUND", 2)
    session = await house.session()
    for n in range(5):
        await later(house, session, str(n))
    await pass_(house, HOUR)
    assert [m.content for m in await house.messages(session)] == list("01234")


async def test_the_bound_counts_them_and_an_interrupt_leaves_them(house: House) -> None:
    session = await house.session()
    scheduled = [await later(house, session) for _ in range(4)]
    queued = await house.post(session)
    with pytest.raises(SessionQueueFull):
        await house.post(session)
    last = await house.post(session, on_busy=OnBusy.ROLLBACK)
    assert last.cancelled_runs == (queued.run.id,)
    assert {(await house.run(each.run.id)).status for each in scheduled} == {RunStatus.QUEUED}
    await house.claim(await house.worker(), last.run.id)
    await later(house, session)
    with pytest.raises(SessionQueueFull):
        await house.post(session, on_busy=OnBusy.INTERRUPT)


async def test_one_that_is_scheduled_is_not_joined(house: House) -> None:
    session = await house.session()
    tail = await house.post(session, on_busy=OnBusy.COALESCE)
    await later(house, session)
    joined = await house.post(session, on_busy=OnBusy.COALESCE)
    assert joined.run.id == tail.run.id


async def test_a_cancelled_one_has_a_place_and_a_retry_brings_its_message(house: House) -> None:
    session = await house.session("historian")
    scheduled = await later(house, session, "later", inputs={"n": 1})
    await house.platform.runs.cancel(house.me, scheduled.run.id, reason=None)
    ended = await house.run(scheduled.run.id)
    assert (ended.status, ended.seq) == (RunStatus.CANCELLED, 1)
    assert await house.messages(session) == []
    other = await house.post(session, "other")
    await house.answer(await house.claim(await house.worker(), other.run.id))
    again = await house.platform.runs.retry(house.me, ended.id, correlation_id="c")
    assert [m.content for m in await house.messages(session)] == ["other", "yes", "later"]
    claim = await house.claim(await house.worker(), again.id)
    assignment = await house.platform.execution.load(claim)
    assert [m.content for m in assignment.context] == ["other", "yes"]
    assert ([m.content for m in assignment.messages], assignment.inputs) == (["later"], {"n": 1})
    await pass_(house, HOUR)
    assert (await house.look(session)).queue_depth == 0


async def test_a_deleted_session_takes_its_scheduled_runs_along(house: House) -> None:
    session = await house.session()
    await later(house, session)
    await house.platform.sessions.delete(house.me, session.id)
    await pass_(house, HOUR)
    await house.platform.upkeep.sweep()
    assert await house.count(runs) == 0
