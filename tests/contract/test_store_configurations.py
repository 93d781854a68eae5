"""The agent of a configuration is made once, whoever makes it at the same moment."""

import asyncio

import pytest
import sqlalchemy as sa

from shared.domain.agent import AgentKind, AgentSpec, MadeBy
from shared.domain.configuration import Configuration
from shared.domain.errors import AgentExists, Forbidden, ValidationFailed
from shared.domain.jsontypes import JsonObject
from shared.domain.principal import Principal, Scope
from shared.domain.requests import NewSession
from shared.domain.session import Session
from shared.ids import new_id
from shared.service.configurations import Configurations
from shared.service.once import fresh
from shared.storage import agents as rows
from shared.storage.schema import agents, sessions
from shared.storage.store import Transaction
from tests.platforms import House


def a_configuration(name: str = "Own", **more: str) -> Configuration:
    config: JsonObject = {"name": name, **more}
    return Configuration(config=config, described=AgentSpec(name=name, kind=AgentKind.ECHO))


async def open_session(house: House, configuration: Configuration) -> Session:
    opens = house.platform.configurations.open_once
    return fresh(await opens(house.me, configuration, NewSession(), None))


async def keep(house: House, transaction: Transaction, configuration: Configuration) -> None:
    defaults = house.platform.configurations._defaults  # noqa: SLF001
    now = await house.store.now(transaction)
    await rows.keep(transaction, configuration.agent_id, configuration.spec, defaults, now)


async def hidden(house: House) -> int:
    return await house.count(agents, agents.c.made_by == MadeBy.CONFIGURATION)


async def test_many_at_the_same_moment_make_one_agent(house: House) -> None:
    configuration = a_configuration()
    opened = await asyncio.gather(*(open_session(house, configuration) for _ in range(10)))
    assert {each.agent_id for each in opened} == {configuration.agent_id}
    assert {each.agent for each in opened} == {configuration.spec.name}
    assert await hidden(house) == 1


async def test_what_is_refused_leaves_no_agent(house: House) -> None:
    opens, ada = house.platform.configurations.open_once, _user("ada")
    with pytest.raises(Forbidden):
        await opens(ada, a_configuration(), NewSession(), None)
    assert await hidden(house) == 0


async def test_an_agent_is_made_with_its_session_or_not_at_all(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        message = "the disk is full"
        raise ValidationFailed.of(("body",), message)

    monkeypatch.setattr("shared.service.configurations.open_sessions", fail)
    with pytest.raises(ValidationFailed):
        await open_session(house, a_configuration())
    assert await hidden(house) == 0


async def test_who_gives_its_name_to_another_agent_may(house: House) -> None:
    session = await open_session(house, a_configuration())
    spec = AgentSpec(name=session.agent, kind=AgentKind.ECHO)
    other = fresh(await house.platform.agents.create_once(house.me, spec, None))
    assert other.id != session.agent_id
    again = await open_session(house, a_configuration())
    assert (again.agent, again.agent_id) == (session.agent, session.agent_id)
    with pytest.raises(AgentExists):
        await house.platform.agents.create_once(house.me, spec, None)


async def test_agents_of_configurations_are_in_no_list(house: House) -> None:
    session = await open_session(house, a_configuration())
    found = house.platform.agents
    assert await found.find(session.agent) is None
    assert await found.find(f"agent_{session.agent_id.hex}") is None
    listed, total = await found.part(limit=200, offset=0)
    assert total == len(listed)
    assert session.agent_id not in {each.id for each in listed}
    kept = await found.of_configuration(session.agent_id)
    assert kept is not None
    assert kept.made_by is MadeBy.CONFIGURATION
    echo = await found.get("echo")
    assert await found.of_configuration(echo.id) is None


async def test_its_run_is_performed(house: House) -> None:
    session = await open_session(house, a_configuration())
    accepted = await house.post(session)
    claim = await house.claim(await house.worker(), accepted.run.id)
    assignment = await house.platform.execution.load(claim)
    assert assignment.agent.id == session.agent_id


def _user(name: str) -> Principal:
    return Principal(tenant="default", user_id=name, scope=Scope.USER)


class TestTwoConnections:
    """The second waits for the first, and takes what it finds: SQLite has one writer."""

    @pytest.fixture
    def kind(self) -> str:
        return "postgres"

    @pytest.mark.parametrize("commits", [True, False])
    async def test_one_agent_is_left(self, house: House, commits: bool) -> None:
        configuration = a_configuration(mark=str(new_id()))
        other = Configurations(house.store, house.platform.configurations._defaults)  # noqa: SLF001
        async with house.store.transaction() as transaction:
            await keep(house, transaction, configuration)
            opening = other.open_once(house.me, configuration, NewSession(), None)
            waiting = asyncio.create_task(opening)
            await house.until_somebody_waits_for_a_lock()
            if not commits:
                await transaction.rollback()
        session = fresh(await waiting)
        assert isinstance(session, Session)
        assert session.agent_id == configuration.agent_id
        assert await house.count(agents, agents.c.id == configuration.agent_id) == 1
        joined = sa.exists().where(agents.c.id == sessions.c.agent_id)
        assert await house.count(sessions, ~joined) == 0


async def test_variables_are_written_with_the_message(house: House) -> None:
    session = await open_session(house, a_configuration())
    for remembered in ({"a": {"x": 1}, "b": 1}, {"a": {"y": 2}}):
        await house.post(session, remembered=remembered)
    state = await house.platform.states.get(house.me, session.id)
    assert state.variables == {"a": {"y": 2}, "b": 1}
    assert state.version == 2


async def test_messages_of_one_batch_remember_one_after_the_other(house: House) -> None:
    session = await open_session(house, a_configuration())
    posts = [house.post(session, remembered={str(number): number}) for number in range(4)]
    await asyncio.gather(*posts)
    state = await house.platform.states.get(house.me, session.id)
    assert state.variables == {str(number): number for number in range(4)}


async def test_too_much_to_remember_is_refused_alone(house: House) -> None:
    session = await open_session(house, a_configuration())
    with pytest.raises(ValidationFailed):
        await house.post(session, remembered={"a": "x" * 70_000})
    await house.post(session, remembered={"a": 1})
    assert (await house.look(session)).message_count == 1
