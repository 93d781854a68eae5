"""Sessions by their newest activity: counted, glanced at, searched."""

import pytest

from shared.clock import Instant
from shared.domain.errors import NotFound
from shared.domain.history import RecentFilter, RecentSession
from shared.domain.message import Role
from shared.domain.principal import Principal, Scope
from shared.domain.requests import NewSession
from shared.domain.session import Session
from shared.ids import SessionId, spell
from tests.platforms import House, a_message

SERVICE = Principal(tenant="acme", user_id=None, scope=Scope.SERVICE)
ANNA = Principal(tenant="acme", user_id="anna", scope=Scope.USER)
STRANGER = Principal(tenant="other", user_id=None, scope=Scope.SERVICE)


async def found(house: House, principal: Principal | None = None, **filters: object) -> list[str]:
    """The first messages of what a filter leaves, newest activity first."""
    recent = await house.platform.sessions.recent(
        principal or house.me,
        RecentFilter(**filters),  # type: ignore[arg-type]
        limit=10,
        offset=0,
    )
    assert recent.total == len(recent.items)
    return [each.first_message or "" for each in recent.items]


async def glance(house: House) -> RecentSession:
    recent = await house.platform.sessions.recent(house.me, RecentFilter(), limit=1, offset=0)
    return recent.items[0]


async def test_the_newest_activity_comes_first_whatever_was_made_first(house: House) -> None:
    for text in ("one", "two", "three"):
        house.wait(1)
        await house.post(await house.session(), text)
    assert await found(house) == ["three", "two", "one"]
    house.wait(1)
    [*_, first] = (
        await house.platform.sessions.recent(house.me, RecentFilter(), limit=3, offset=0)
    ).items
    await house.post(first.session, "again")
    assert await found(house) == ["one", "three", "two"]


async def test_pages_by_number_say_how_many_there_are(house: House) -> None:
    for text in "abcde":
        house.wait(1)
        await house.post(await house.session(), text)
    pages = [
        await house.platform.sessions.recent(house.me, RecentFilter(), limit=2, offset=offset)
        for offset in (0, 2, 4, 6)
    ]
    assert [[each.first_message for each in page.items] for page in pages] == [
        ["e", "d"], ["c", "b"], ["a"], [],
    ]  # fmt: skip
    assert [page.total for page in pages] == [5, 5, 5, 5]


async def test_a_session_shows_its_runs_and_how_it_began(house: House) -> None:
    session = await house.session(initial_messages=((Role.USER, "é" * 150), (Role.ASSISTANT, "b")))
    for _ in range(3):
        await house.post(session, "more")
    seen = await glance(house)
    assert (seen.session, seen.run_count) == (await house.look(session), 3)
    assert seen.first_message == "é" * 100


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        ('say "hi"\n\\ 😀', 'say "hi"\n\\ 😀'),
        ("", ""),
        ([{"type": "text", "text": 'a "b"'}, {"type": "text", "text": "ç"}], 'a "b"\nç'),
        ([{"type": "image_url", "image_url": {"url": "data:text"}}], ""),
        ([], ""),
    ],
)
async def test_a_first_message_is_shown_as_plain_text(
    house: House, content: object, shown: str
) -> None:
    await house.post(await house.session(), content)  # type: ignore[arg-type]
    assert (await glance(house)).first_message == shown


async def test_who_never_spoke_has_no_first_message(house: House) -> None:
    session = await house.session()
    await house.post(session, "later", not_before=await house.at(60))
    seen = await glance(house)
    assert (seen.run_count, seen.first_message) == (1, None)


async def test_a_list_is_narrowed_by_its_filters(house: House) -> None:
    made: list[Session] = []
    for text, agent in (
        ("Where is 100% of it?", "echo"),
        ("ask", "historian"),
        ("100 times", "echo"),
    ):
        house.wait(1)
        made.append(await house.session(agent))
        for _ in range(len(made)):
            await house.post(made[-1], text)
    first, second, third = made
    before = Instant(second.created_at - 1)
    for filters, texts in (
        ({"agent_id": second.agent_id}, ["ask"]),
        ({"search": "100% OF"}, ["Where is 100% of it?"]),
        ({"search": "100"}, ["100 times", "Where is 100% of it?"]),
        ({"search": "_"}, []),
        ({"search": ""}, ["100 times", "ask", "Where is 100% of it?"]),
        ({"search": spell("sess", second.id)}, ["ask"]),
        ({"search": f" {str(third.id).upper()} "}, ["100 times"]),
        ({"created_after": second.created_at}, ["100 times", "ask"]),
        ({"created_before": second.created_at}, ["ask", "Where is 100% of it?"]),
        ({"created_before": before}, ["Where is 100% of it?"]),
        ({"min_runs": 2}, ["100 times", "ask"]),
        ({"min_runs": 0}, ["100 times", "ask", "Where is 100% of it?"]),
        ({"max_runs": 2}, ["ask", "Where is 100% of it?"]),
        ({"min_runs": 2, "max_runs": 2}, ["ask"]),
        ({"max_runs": 0}, []),
        ({"min_runs": 3, "agent_id": first.agent_id, "search": "TIMES"}, ["100 times"]),
    ):  # fmt: skip
        assert await found(house, **filters) == texts, filters


async def test_a_list_is_of_what_the_caller_sees(house: House) -> None:
    mine = await house.platform.sessions.create(ANNA, NewSession(agent="echo"))
    await house.platform.intake.accept(ANNA, a_message(mine.id, "mine"))
    theirs = await house.platform.sessions.create(SERVICE, NewSession(agent="echo"))
    await house.platform.intake.accept(SERVICE, a_message(theirs.id, "theirs"))
    assert set(await found(house)) == set(await found(house, SERVICE)) == {"mine", "theirs"}
    assert await found(house, ANNA) == ["mine"]
    assert await found(house, STRANGER) == []
    await house.platform.sessions.delete(house.me, mine.id)
    assert await found(house, ANNA) == []


async def test_a_session_that_does_not_exist_has_no_history(house: House) -> None:
    session = await house.platform.sessions.create(ANNA, NewSession(agent="echo"))
    messages = house.platform.messages
    for caller, session_id in ((STRANGER, session.id), (house.me, SessionId(session.agent_id))):
        with pytest.raises(NotFound, match="session"):
            await messages.window(caller, session_id, limit=1)
        with pytest.raises(NotFound, match="session"):
            await messages.slice(caller, session_id, limit=1, offset=0)
