"""Windows over a conversation: by instants, in whole milliseconds, and by number."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.clock import MILLISECOND, Instant
from shared.domain.history import Window
from shared.domain.message import Message, Reply, Role, ToolCall
from shared.domain.outcome import Succeeded
from shared.domain.session import Session
from shared.ids import new_id
from shared.storage.schema import messages, sessions
from tests.platforms import House

# Roles and the microseconds since the last message: many in one millisecond, and some apart.
STORIES = st.lists(
    st.tuples(
        st.sampled_from([Role.USER, Role.ASSISTANT, Role.USER, Role.TOOL, Role.SYSTEM]),
        st.sampled_from([1, 1, 1, 7, 400, 1000, 5000]),
        st.integers(1, 3),  # places that runs took in between
    ),
    max_size=30,
)
A_FEW = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
SPOKEN = {Role.USER, Role.ASSISTANT}


async def told(house: House, story: Sequence[tuple[Role, int, int]]) -> tuple[Session, list[UUID]]:
    """A session in which this was said; the ids of what users and agents said, in order."""
    session = await house.session()
    seq, instant = 0, session.created_at
    rows: list[dict[str, Any]] = []
    for role, later, places in story:
        seq, instant = seq + places, Instant(instant + later)
        rows.append({
            "id": new_id(), "session_id": session.id, "seq": seq, "turn_seq": seq,
            "role": role, "content": "x", "created_at": instant,
        })  # fmt: skip
    spoken = [row["id"] for row in rows if row["role"] in SPOKEN]
    if rows:
        await house.write(messages.insert().values(rows))
    last = {"last_seq": seq, "message_count": len(rows), "spoken_count": len(spoken)}
    await house.write(sessions.update().where(sessions.c.id == session.id).values(last))
    return session, spoken


async def window(house: House, session: Session, limit: int, **bounds: Instant | None) -> Window:
    return await house.platform.messages.window(house.me, session.id, limit=limit, **bounds)


def ids(found: Sequence[Message]) -> list[UUID]:
    return [message.id for message in found]


def millisecond(message: Message) -> int:
    return message.created_at // MILLISECOND


def printed(message: Message) -> Instant:
    """What a client that counts in milliseconds gives back."""
    return Instant(millisecond(message) * MILLISECOND)


@A_FEW
@given(story=STORIES, limit=st.integers(1, 5))
async def test_backwards_every_message_is_seen_once(
    house: House, story: list[tuple[Role, int, int]], limit: int
) -> None:
    session, spoken = await told(house, story)
    seen: list[UUID] = []
    page = await window(house, session, limit)
    while page.messages and len(seen) < len(spoken):
        assert len(page.messages) >= min(limit, len(spoken) - len(seen))
        seen += ids(page.messages)
        assert page.has_more is (len(seen) < len(spoken))
        page = await window(house, session, limit, before=printed(page.messages[-1]))
    assert (list(page.messages), page.has_more) == ([], False)
    assert seen == spoken[::-1]


@A_FEW
@given(story=STORIES, limit=st.integers(1, 5))
async def test_forwards_every_message_is_seen_once(
    house: House, story: list[tuple[Role, int, int]], limit: int
) -> None:
    session, spoken = await told(house, story)
    seen: list[UUID] = []
    page = await window(house, session, limit, after=Instant(0))
    while page.messages and len(seen) < len(spoken):
        seen += ids(page.messages)[::-1]
        assert page.has_more is (len(seen) < len(spoken))
        page = await window(house, session, limit, after=printed(page.messages[0]))
    assert (list(page.messages), page.has_more) == ([], False)
    assert seen == spoken


@A_FEW
@given(story=STORIES, limit=st.integers(1, 40), first=st.integers(), last=st.integers())
async def test_between_two_instants_are_the_newest(
    house: House, story: list[tuple[Role, int, int]], limit: int, first: int, last: int
) -> None:
    session, spoken = await told(house, story)
    everything = (await window(house, session, 1000)).messages
    assert ids(everything) == spoken[::-1]
    low, high = (
        Instant(session.created_at + each % 20 * MILLISECOND - 500) for each in (first, last)
    )
    inside = [
        message
        for message in everything
        if low // MILLISECOND < millisecond(message) < high // MILLISECOND
    ]
    page = await window(house, session, limit, after=low, before=high)
    assert list(page.messages) == inside[: len(page.messages)]
    assert page.has_more is (len(page.messages) < len(inside))
    cut = inside[limit - 1 : limit + 1]
    if len({millisecond(message) for message in cut}) == len(cut):
        assert len(page.messages) == min(limit, len(inside))


async def test_a_crowded_millisecond_is_one_page(house: House) -> None:
    session, spoken = await told(house, [(Role.USER, 1500, 1), *[(Role.USER, 1, 1)] * 999])
    for bounds in ({}, {"after": Instant(0)}):
        page = await window(house, session, 3, **bounds)
        assert 3 <= len(page.messages) <= MILLISECOND
        milliseconds = {millisecond(message) for message in page.messages}
        assert page.has_more is (len(page.messages) < len(spoken))
        rest = [m for m in (await window(house, session, 1000)).messages if m not in page.messages]
        assert milliseconds.isdisjoint(map(millisecond, rest))


@pytest.mark.parametrize("bound", [0, -1, 1 << 62])
async def test_instants_beyond_all_messages_are_places_too(house: House, bound: int) -> None:
    session, spoken = await told(house, [(Role.USER, 5000, 1)] * 3)
    before = await window(house, session, 5, before=Instant(bound))
    after = await window(house, session, 5, after=Instant(bound))
    assert (ids(before.messages), ids(after.messages)) == (
        ([], spoken[::-1]) if bound <= 0 else (spoken[::-1], [])
    )


async def test_a_message_of_another_transaction_is_of_another_millisecond(house: House) -> None:
    """Whoever read to the end and asks for what came after it misses nothing."""
    session, claim = await house.start()
    house.wait(-3600)  # no time goes by
    for _ in range(4):
        await house.post(session)
    await house.answer(claim)
    found = await house.messages(session)
    assert len({millisecond(message) for message in found}) == len(found) == 6


async def test_a_slice_is_in_order_and_says_how_much_there_is(house: House) -> None:
    session, claim = await house.start("one")
    calls = (ToolCall(call_id="c", name="look", result="sky"),) * 3
    await house.settle(claim, Succeeded(reply=Reply(content="two", tool_calls=calls)))
    await house.post(session, "three")
    await house.post(session, "later", not_before=await house.at(60))
    history = house.platform.messages
    cuts = {(2, 0): ["one", "two"], (2, 2): ["three"], (5, 1): ["two", "three"], (1, 3): []}
    for (limit, offset), texts in cuts.items():
        found = await history.slice(house.me, session.id, limit=limit, offset=offset)
        assert [message.content for message in found.messages] == texts
        assert found.total == 3
    assert (await house.look(session)).message_count == 6


async def test_a_slice_of_one_correlation_counts_only_that(house: House) -> None:
    session = await house.session()
    for text in "abc":
        await house.post(session, text)
    history = house.platform.messages
    for correlation_id, texts in (("test", ["b", "c"]), ("other", [])):
        found = await history.slice(
            house.me, session.id, limit=2, offset=1, correlation_id=correlation_id
        )
        assert [message.content for message in found.messages] == texts
        assert found.total == (3 if texts else 0)
