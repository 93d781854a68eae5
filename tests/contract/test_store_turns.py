"""Turns: all that belongs to runs, in as many queries for many as for one."""

import pytest
import sqlalchemy as sa

from shared.domain.errors import NotFound
from shared.domain.message import Reply, Role, ToolCall
from shared.domain.outcome import Failed, Succeeded
from shared.domain.principal import Principal, Scope
from shared.domain.run import RunError
from shared.domain.session import Session
from shared.domain.turn import Turn
from shared.ids import RunId
from shared.service import turns as service
from tests.platforms import House

STRANGER = Principal(tenant="elsewhere", user_id=None, scope=Scope.SERVICE)
REPLY = Reply(
    content="sunny",
    tool_calls=(
        ToolCall(call_id="c1", name="look", arguments={"up": True}, result="sky"),
        ToolCall(call_id="c2", name="feel", error="numb"),
    ),
    retrieved_context=({"id": "k1", "text": "weather"},),
)


async def perform(house: House, session: Session, content: str, reply: Reply = REPLY) -> RunId:
    accepted = await house.post(session, content)
    claim = await house.claim(await house.worker(), accepted.run.id)
    await house.settle(claim, Succeeded(reply=reply))
    return accepted.run.id


def told(turns: list[Turn] | tuple[Turn, ...]) -> list[tuple[object, object]]:
    return [(turn.inputs[0].content, turn.run.output and turn.run.output.content) for turn in turns]


async def test_a_turn_has_what_was_asked_done_fetched_and_answered(house: House) -> None:
    session = await house.session()
    await perform(house, session, "how is it?")
    [turn] = await house.platform.turns.of_session(house.me, session.id, limit=10)
    assert told([turn]) == [("how is it?", "sunny")]
    assert [tool.tool and tool.tool["name"] for tool in turn.tools] == ["look", "feel"]
    assert {tool.role for tool in turn.tools} == {Role.TOOL}
    assert turn.context == REPLY.retrieved_context
    assert await house.platform.turns.of_runs(house.me, [turn.run]) == [turn]


async def test_what_somebody_else_has_is_left_out(house: House) -> None:
    session = await house.session()
    run = await house.run(await perform(house, session, "hi"))
    turns = house.platform.turns
    assert await turns.of_runs(STRANGER, [run]) == []
    assert await turns.of_runs(house.me, []) == []
    assert [page async for page in turns.succeeded(STRANGER, session.id)] == []
    for reading in (
        turns.of_session(STRANGER, session.id, limit=1),
        turns.said_before(STRANGER, session.id),
    ):
        with pytest.raises(NotFound):
            await reading


async def test_slices_follow_the_line_and_those_not_due_come_last(house: House) -> None:
    session = await house.session()
    later = await house.post(session, "later", not_before=await house.at(60))
    for content in ("one", "two"):
        await perform(house, session, content)
    waiting = await house.post(session, "three")
    turns = house.platform.turns
    slices = [
        told(await turns.of_session(house.me, session.id, limit=2, offset=offset))
        for offset in (0, 2, 4)
    ]
    assert slices[0] == [("one", "sunny"), ("two", "sunny")]
    assert slices[1] == [("three", None), ("later", None)]
    assert slices[2] == []
    assert later.run.seq is None
    assert waiting.run.seq is not None


async def test_what_was_answered_is_gone_through_in_pages(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "PAGE", 2)
    session = await house.session()
    for content in ("one", "two", "three"):
        await perform(house, session, content)
    failing = await house.post(session, "four")
    claim = await house.claim(await house.worker(), failing.run.id)
    await house.settle(claim, Failed(error=RunError(code="agent_error", message="no")))
    await perform(house, session, "five")
    turns = house.platform.turns

    async def pages(most: int | None) -> list[list[object]]:
        found = turns.succeeded(house.me, session.id, most=most)
        return [[turn.inputs[0].content for turn in page] async for page in found]

    assert await pages(None) == [["one", "two"], ["three", "five"]]
    assert await pages(3) == [["one", "two"], ["three"]]
    assert await pages(1) == [["one"]]


async def test_a_session_that_began_with_pairs_tells_them(house: House) -> None:
    said = ((Role.USER, "knock"), (Role.ASSISTANT, "who?"), (Role.USER, "a"), (Role.ASSISTANT, "b"))
    session = await house.session(initial_messages=said)
    await perform(house, session, "and now?")
    before = await house.platform.turns.said_before(house.me, session.id)
    assert [(each.role, each.content) for each in before] == list(said)
    assert told(await house.platform.turns.of_session(house.me, session.id, limit=9)) == [
        ("and now?", "sunny")
    ]


async def test_many_turns_take_as_many_queries_as_one(house: House) -> None:
    session = await house.session()
    await perform(house, session, "one")

    async def queries() -> int:
        count = 0

        def note(*_: object) -> None:
            nonlocal count
            count += 1

        engine = house.store._engines.reading.sync_engine  # noqa: SLF001
        sa.event.listen(engine, "before_cursor_execute", note)
        await house.platform.turns.of_session(house.me, session.id, limit=50)
        sa.event.remove(engine, "before_cursor_execute", note)
        return count

    alone = await queries()
    assert alone
    for content in ("two", "three"):
        await perform(house, session, content)
    assert await queries() == alone
