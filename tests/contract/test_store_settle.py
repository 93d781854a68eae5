"""Settle: what an exit leaves behind, all of it or nothing."""

from dataclasses import replace

import pytest
import sqlalchemy as sa

from shared.domain.jsontypes import JsonObject
from shared.domain.message import Reply, Role, ToolCall
from shared.domain.outcome import (
    Cancelled,
    Failed,
    GivenBack,
    Outcome,
    Paused,
    Retrying,
    Succeeded,
)
from shared.domain.run import Approval, RunError, RunStatus
from shared.domain.session import SessionStatus
from shared.storage import settling
from shared.storage.schema import attempts, messages, metadata, run_details, runs
from tests.platforms import House, exit_of

CHUNKS: tuple[JsonObject, ...] = (
    {"id": "1", "text": "a", "included_in_context": True},
    {"id": "2", "text": "b", "included_in_context": False},
)
REPLY = Reply(
    content="It is sunny.",
    tool_calls=(
        ToolCall(call_id="c1", name="weather", arguments={"city": "Köln"}, result={"sun": True}),
        ToolCall(call_id="c2", name="wind", arguments=None, error="no wind"),
    ),
    retrieved_context=CHUNKS,
    citations=({"chunk": "1"},),
    usage={"input_tokens": 3, "cost": 0.25},
    reasoning="I looked outside.",
)
ERROR = RunError(code="no_money", message="Pay first.")


async def everything(house: House) -> dict[str, list[sa.Row[tuple[object, ...]]]]:
    return {table.name: await house.rows(sa.select(table)) for table in metadata.sorted_tables}


async def test_a_success_is_stored_with_everything_it_is_made_of(house: House) -> None:
    session, claim = await house.start("weather?")
    settled = await house.settle(claim, Succeeded(reply=REPLY))
    assert (settled.accepted, settled.status, settled.pool) == (True, "succeeded", "default")
    said = await house.messages(session)
    assert [(m.role, m.content) for m in said] == [
        (Role.USER, "weather?"),
        (Role.TOOL, '{"sun":true}'),
        (Role.TOOL, "no wind"),
        (Role.ASSISTANT, "It is sunny."),
    ]
    assert [m.seq for m in said] == sorted(m.seq or 0 for m in said)
    assert said[1].tool == {
        "call_id": "c1", "name": "weather", "arguments": {"city": "Köln"}, "result": {"sun": True},
    }  # fmt: skip
    assert said[2].tool == {
        "call_id": "c2", "name": "wind", "arguments": None, "error": "no wind",
    }  # fmt: skip
    assert (said[3].citations, said[3].reasoning) == (REPLY.citations, REPLY.reasoning)
    assert not said[3].interrupted
    run = await house.run(claim.run_id)
    assert (run.status, run.output, run.error) == (RunStatus.SUCCEEDED, said[3], None)
    assert (run.usage, run.reasoning) == (REPLY.usage, REPLY.reasoning)
    assert run.settled_at is not None
    found = await house.platform.runs.retrieved_context(house.me, claim.run_id)
    assert (found.chunks, found.diagnostics) == (CHUNKS, {"total": 2, "included": 1})


async def test_the_status_body_shows_how_the_run_ended(house: House) -> None:
    session, claim = await house.start()
    await house.answer(claim)
    after = await house.look(session)
    assert (after.status, after.active_run, after.message_count) == (SessionStatus.IDLE, None, 2)
    assert after.last_run is not None
    assert (after.last_run.id, after.last_run.status) == (claim.run_id, RunStatus.SUCCEEDED)
    assert after.version > session.version
    session, claim = await house.start()
    await house.settle(claim, Failed(error=ERROR))
    after = await house.look(session)
    assert after.status is SessionStatus.ERROR
    assert after.last_run is not None
    assert (after.last_run.status, after.last_run.error) == (RunStatus.FAILED, ERROR)


async def test_an_empty_answer_is_an_answer(house: House) -> None:
    session, claim = await house.start()
    await house.answer(claim, "")
    assert [m.content for m in await house.messages(session)] == ["hi", ""]
    assert (await house.run(claim.run_id)).output is not None


async def test_a_failure_keeps_its_partial_text_marked(house: House) -> None:
    session, claim = await house.start()
    await house.settle(claim, Failed(error=ERROR, partial=Reply(content="It is")))
    run, said = await house.run(claim.run_id), await house.messages(session)
    assert (run.status, run.error, run.output) == (RunStatus.FAILED, ERROR, said[1])
    assert (said[1].content, said[1].interrupted) == ("It is", True)


@pytest.mark.parametrize("partial", [None, Reply(content="")])
async def test_nothing_said_leaves_no_message(house: House, partial: Reply | None) -> None:
    session, claim = await house.start()
    await house.settle(claim, Cancelled(partial=partial))
    run = await house.run(claim.run_id)
    assert (run.status, run.output) == (RunStatus.CANCELLED, None)
    assert len(await house.messages(session)) == 1


APPROVAL = Approval(call_id="1", tool="pay", arguments={"eur": 5})


@pytest.mark.parametrize(
    ("outcome", "status", "attempt", "losses"),
    [
        (Succeeded(reply=REPLY), RunStatus.SUCCEEDED, 1, 0),
        (Failed(error=ERROR), RunStatus.FAILED, 1, 0),
        (Cancelled(), RunStatus.CANCELLED, 1, 0),
        (Retrying(seconds=5, error=ERROR), RunStatus.QUEUED, 1, 0),
        (Paused(approvals=(APPROVAL,)), RunStatus.WAITING, 0, 0),
        (GivenBack(), RunStatus.QUEUED, 0, 0),
        (GivenBack(lost=True), RunStatus.QUEUED, 0, 1),
    ],
)
async def test_every_exit_charges_what_it_should_and_promotes(
    house: House, outcome: Outcome, status: RunStatus, attempt: int, losses: int
) -> None:
    session, claim = await house.start()
    following = await house.post(session)
    before = await house.look(session)
    assert (await house.settle(claim, outcome)).accepted
    run, after = await house.run(claim.run_id), await house.look(session)
    assert (run.status, run.attempt) == (status, attempt)
    assert after.version > before.version
    [row] = await house.rows(sa.select(runs).where(runs.c.id == claim.run_id))
    assert row.losses == losses
    over = run.settled_at is not None
    assert over == (status in {RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.CANCELLED})
    assert row.fence == claim.fence + (not over)
    [tried] = (await house.run(claim.run_id)).attempts
    assert (tried.number, tried.worker, tried.claimed_at) == (1, "w", claim.claimed_at)
    [behind] = await house.rows(sa.select(runs).where(runs.c.id == following.run.id))
    assert behind.dispatch == ("ready" if over else "blocked")
    assert after.queue_depth == (1 if over or status is RunStatus.WAITING else 2)


@pytest.mark.parametrize("outcome", [Succeeded(reply=REPLY), GivenBack(lost=True)])
async def test_a_stale_fence_changes_nothing(house: House, outcome: Outcome) -> None:
    session, stale = await house.start()
    await house.settle(stale, GivenBack())
    current = await house.claim(await house.worker(), stale.run_id)
    before = await everything(house)
    for fence in (0, current.fence + 1):
        refused = await house.settle(replace(stale, fence=fence), outcome)
        assert (refused.accepted, refused.status) == (False, RunStatus.RUNNING)
    assert await everything(house) == before
    assert (await house.answer(current)).accepted
    before = await everything(house)
    refused = await house.settle(replace(stale, fence=current.fence + 1), outcome)
    assert (refused.accepted, refused.status) == (False, RunStatus.SUCCEEDED)
    assert await everything(house) == before
    assert len(await house.messages(session)) == 2


@pytest.mark.parametrize(
    "outcome",
    [Succeeded(reply=REPLY), Failed(error=ERROR), GivenBack(lost=True), Cancelled(partial=REPLY)],
)
async def test_a_repeated_settle_is_accepted_and_writes_nothing_twice(
    house: House, outcome: Outcome
) -> None:
    _, claim = await house.start()
    first = await house.settle(claim, outcome)
    before = await everything(house)
    again = await house.settle(claim, outcome)
    assert (again.accepted, again.status) == (True, first.status)
    assert await everything(house) == before


async def test_twins_in_one_batch_write_once(house: House) -> None:
    session, claim = await house.start()
    twins = [exit_of(claim, Succeeded(reply=REPLY)) for _ in range(2)]
    async with house.store.transaction() as transaction:
        answers = await settling.settle(house.store, transaction, twins, max_wait_seconds=60)
    assert next(getattr(answer, "status", answer) for answer in answers) == RunStatus.SUCCEEDED
    assert (await house.look(session)).message_count == 4
    assert await house.count(messages) == 4
    assert await house.count(attempts) == 1
    assert await house.count(run_details) == 1
