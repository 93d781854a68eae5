"""`coalesce`: messages that came while nobody had started are answered together."""

from dataclasses import replace
from typing import Any

import pytest

from shared.clock import Instant
from shared.domain.errors import QueueFull
from shared.domain.outcome import Retrying
from shared.domain.run import OnBusy, Run
from tests.contract.conftest import Open
from tests.contract.test_store_busy import ERROR, prompt
from tests.platforms import House


async def test_coalesced_messages_are_one_turn_and_each_has_its_place(house: House) -> None:
    session = await house.session("historian")
    await house.worker()
    first = await house.post(session, "a", on_busy=OnBusy.COALESCE, metadata={"n": 1})
    second = await house.post(session, "b", on_busy=OnBusy.COALESCE, metadata={"n": 2})
    assert second.run.message_ids == (first.message.id, second.message.id)
    stored = await house.run(first.run.id)
    assert replace(stored, waiting_for=second.run.waiting_for) == second.run
    assert stored.waiting_for is not None
    assert second.run.waiting_for is not None
    assert stored.waiting_for.cause == second.run.waiting_for.cause
    last = await house.post(session, "last")
    claim = await house.claim(await house.worker(), first.run.id)
    assignment = await house.platform.execution.load(claim)
    assert [m.content for m in assignment.messages] == ["a", "b"]
    await house.answer(claim, "both")
    said = [(m.content, m.run_id) for m in await house.messages(session)]
    assert said == [
        ("a", first.run.id), ("b", first.run.id), ("last", last.run.id), ("both", first.run.id),
    ]  # fmt: skip
    assert await prompt(house, last) == [("a", False), ("b", False), ("both", False)]


@pytest.mark.parametrize("between", ["enqueue", "claim", "cancel", "retry"])
async def test_who_is_not_open_to_others_is_not_joined(house: House, between: str) -> None:
    session = await house.session()
    first = await house.post(session, on_busy=OnBusy.COALESCE)
    if between == "enqueue":
        await house.post(session)
    elif between == "cancel":
        await house.platform.runs.cancel(house.me, first.run.id, reason=None)
    else:
        claim = await house.claim(await house.worker(), first.run.id)
        if between == "retry":
            await house.settle(claim, Retrying(seconds=0, error=ERROR))
    second = await house.post(session, on_busy=OnBusy.COALESCE)
    assert second.run.id != first.run.id
    assert second.run.message_ids == (second.message.id,)


async def test_options_must_be_the_same(house: House) -> None:
    session = await house.session()
    later = Instant(2**53)
    asked: list[dict[str, Any]] = [
        {}, {"inputs": {"a": 1}}, {"inputs": {"a": 2}}, {"options": {"reasoning": "low"}},
        {"deadline": later}, {"priority": 1},
    ]  # fmt: skip
    made: list[Run] = []
    for more in asked:
        for _ in range(2):
            accepted = await house.post(session, on_busy=OnBusy.COALESCE, **more)
            made.append(accepted.run)
        if len(made) == 8:  # the line is full
            await house.post(session, on_busy=OnBusy.INTERRUPT)
    assert len({run.id for run in made}) == len(asked)
    assert all(first.id == second.id for first, second in zip(made[::2], made[1::2], strict=True))


async def test_who_joins_takes_up_no_room_of_its_principal(open_it: Open) -> None:
    async with open_it(max_queued_per_principal=2) as house:
        session = await house.session()
        for _ in range(3):
            await house.post(session, on_busy=OnBusy.COALESCE)
        await house.post(session)
        with pytest.raises(QueueFull):
            await house.post(session)
