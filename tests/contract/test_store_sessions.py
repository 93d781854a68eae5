"""Sessions: who sees them, how they are listed."""

import pytest

from shared.domain.errors import Forbidden, NotFound, ValidationFailed
from shared.domain.outcome import Failed
from shared.domain.paging import Page, decode_cursor, encode_cursor
from shared.domain.principal import Principal, Scope
from shared.domain.requests import MessageFilter, NewSession, RunFilter, SessionFilter
from shared.domain.run import RunError
from shared.domain.session import Session, SessionStatus
from shared.ids import SessionId, new_id
from tests.platforms import House, a_message

SERVICE = Principal(tenant="acme", user_id=None, scope=Scope.SERVICE)
ANNA = Principal(tenant="acme", user_id="anna", scope=Scope.USER)
BERT = Principal(tenant="acme", user_id="bert", scope=Scope.USER)
STRANGER = Principal(tenant="other", user_id=None, scope=Scope.SERVICE)


async def listed(house: House, principal: Principal, **filters: object) -> list[Session]:
    wanted = SessionFilter(**filters)  # type: ignore[arg-type]
    return list((await house.platform.sessions.list(principal, wanted, Page())).data)


async def test_a_session_is_read_as_it_was_created(house: House) -> None:
    made = await house.session(user_id="anna", metadata={"tier": ["gold", 1]}, correlation_id="c")
    read = await house.look(made)
    assert read == made
    assert (read.user_id, read.metadata, read.correlation_id) == (
        "anna", {"tier": ["gold", 1]}, "c",
    )  # fmt: skip
    assert (read.status, read.version, read.message_count) == (SessionStatus.IDLE, 1, 0)
    assert (read.agent, read.last_run, read.active_run) == ("echo", None, None)


async def test_what_is_not_there_is_not_found(house: House) -> None:
    with pytest.raises(NotFound, match="session"):
        await house.platform.sessions.get(house.me, SessionId(new_id()))
    with pytest.raises(NotFound, match="agent"):
        await house.session("nobody")


@pytest.mark.parametrize(
    ("owner", "sees"),
    [
        (ANNA, {SERVICE: True, ANNA: True, BERT: False, STRANGER: False}),
        (SERVICE, {SERVICE: True, ANNA: False, BERT: False, STRANGER: False}),
    ],
)
async def test_what_another_owner_holds_does_not_exist(
    house: House, owner: Principal, sees: dict[Principal, bool]
) -> None:
    platform = house.platform
    session = await platform.sessions.create(owner, NewSession(agent="echo"))
    accepted = await platform.intake.accept(owner, a_message(session.id))
    for caller, allowed in sees.items():
        everything = (
            await platform.sessions.list(caller, SessionFilter(), Page()),
            await platform.messages.list(caller, MessageFilter(), Page()),
            await platform.runs.list(caller, RunFilter(), Page()),
        )
        assert [len(listing.data) for listing in everything] == [allowed] * 3
        attempts = (
            platform.sessions.get(caller, session.id),
            platform.runs.get(caller, accepted.run.id),
            platform.messages.list(caller, MessageFilter(session_id=session.id), Page()),
            platform.runs.list(caller, RunFilter(session_id=session.id), Page()),
            platform.runs.cancel(caller, accepted.run.id, reason=None),
        )
        for attempt in attempts:
            if allowed:
                await attempt
                continue
            with pytest.raises(NotFound):
                await attempt
    for caller in (BERT, STRANGER):
        with pytest.raises(NotFound):
            await platform.intake.accept(caller, a_message(session.id))
        with pytest.raises(NotFound):
            await platform.sessions.delete(caller, session.id)
    assert (await platform.sessions.get(owner, session.id)).message_count == 1


async def test_an_admin_sees_every_tenant(house: House) -> None:
    session = await house.platform.sessions.create(ANNA, NewSession(agent="echo"))
    assert [each.id for each in await listed(house, house.me)] == [session.id]


async def test_a_user_creates_for_itself_only(house: House) -> None:
    sessions = house.platform.sessions
    assert (await sessions.create(ANNA, NewSession(agent="echo"))).user_id == "anna"
    assert (await sessions.create(SERVICE, NewSession(agent="echo", user_id="x"))).user_id == "x"
    with pytest.raises(Forbidden):
        await sessions.create(ANNA, NewSession(agent="echo", user_id="bert"))
    assert len(await listed(house, SERVICE)) == 2


async def test_filters_narrow_a_list(house: House) -> None:
    first = await house.session(user_id="anna", correlation_id="one")
    second = await house.session("historian", user_id="bert", correlation_id="two")
    for filters, found in (
        ({"user_id": "anna"}, [first.id]),
        ({"user_id": ""}, []),
        ({"correlation_id": "two"}, [second.id]),
        ({"agent": "historian"}, [second.id]),
        ({"agent": str(second.agent_id)}, [second.id]),
        ({"agent": "nobody"}, []),
        ({"created_after": first.created_at}, [second.id]),
        ({"created_before": second.created_at}, [first.id]),
    ):
        assert [each.id for each in await listed(house, house.me, **filters)] == found, filters


async def test_the_status_filter_agrees_with_the_status_shown(house: House) -> None:
    await house.session()
    queued = await house.session()
    await house.post(queued)
    await house.start()
    _, claim = await house.start()
    await house.settle(claim, Failed(error=RunError(code="no", message="no")))
    everything = await listed(house, house.me)
    shown = [session.status for session in everything]
    assert sorted(shown) == ["error", "idle", "queued", "running"]
    for status in SessionStatus:
        found = await listed(house, house.me, status=status)
        assert [each.id for each in found] == [s.id for s in everything if s.status is status]


@pytest.mark.parametrize("descending", [False, True])
async def test_pages_are_the_list_cut_in_pieces(house: House, descending: bool) -> None:
    made = [(await house.session()).id for _ in range(7)]
    seen: list[SessionId] = []
    cursor = None
    while True:
        page = Page(limit=3, cursor=cursor, descending=descending)
        listing = await house.platform.sessions.list(house.me, SessionFilter(), page)
        seen += [session.id for session in listing.data]
        if (printed := encode_cursor(listing.next_cursor)) is None:
            break
        cursor = decode_cursor(printed, (int, str))
    assert seen == (made[::-1] if descending else made)


async def test_a_page_goes_on_where_it_ended_whatever_was_added(house: House) -> None:
    made = [(await house.session()).id for _ in range(4)]
    page = Page(limit=2, descending=True)
    first = await house.platform.sessions.list(house.me, SessionFilter(), page)
    await house.session()
    page = Page(limit=2, descending=True, cursor=first.next_cursor)
    second = await house.platform.sessions.list(house.me, SessionFilter(), page)
    assert [s.id for s in (*first.data, *second.data)] == made[::-1]


async def test_messages_and_runs_are_paged_in_the_order_of_the_line(house: House) -> None:
    session = await house.session()
    for each in "abcde":
        await house.post(session, each)
    contents: list[object] = []
    cursor = None
    for _ in range(3):
        listing = await house.platform.messages.list(
            house.me, MessageFilter(session_id=session.id), Page(limit=2, cursor=cursor)
        )
        contents += [message.content for message in listing.data]
        cursor = listing.next_cursor
    assert (contents, cursor) == (list("abcde"), None)
    runs = await house.platform.runs.list(house.me, RunFilter(session_id=session.id), Page())
    assert [run.seq for run in runs.data] == sorted(run.seq or 0 for run in runs.data)
    assert len(runs.data) == 5


def test_a_cursor_of_another_list_is_refused() -> None:
    with pytest.raises(ValidationFailed):
        decode_cursor(encode_cursor((1,)) or "", (int, str))
