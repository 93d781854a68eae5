"""Agents of the file and agents of the API do not overwrite each other."""

import asyncio
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from shared.domain.agent import AgentKind, AgentSpec, MadeBy, agent_id_of
from shared.domain.errors import AgentExists, AgentFromFile
from shared.service.agents_file import BadAgentsFile
from shared.service.once import fresh
from shared.storage.schema import agents, pools
from tests.platforms import House

PARROT = '[[agents]]\nname = "parrot"\nkind = "echo"\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return says(tmp_path / "agents.toml", PARROT)


def says(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


async def make(house: House, name: str = "parrot", pool: str = "default") -> AgentSpec:
    spec = AgentSpec(name=name, kind=AgentKind.ECHO, pool=pool)
    fresh(await house.platform.agents.create_once(house.me, spec, None))
    return spec


async def test_a_file_that_names_an_agent_of_the_api_is_refused(house: House, file: Path) -> None:
    await make(house)
    with pytest.raises(BadAgentsFile, match="'parrot' was made through the API") as error:
        await house.platform.agents.load(file)
    assert str(file) in error.value.detail
    assert (await house.platform.agents.get("parrot")).made_by is MadeBy.API
    await house.platform.agents.delete("parrot")
    await house.platform.agents.load(file)
    assert (await house.platform.agents.get("parrot")).id == agent_id_of("parrot")


async def test_an_id_is_given_once(house: House, file: Path) -> None:
    await house.platform.agents.load(file)
    says(file, f'[[agents]]\nname = "ara"\nkind = "echo"\nid = "{agent_id_of("parrot")}"\n')
    with pytest.raises(BadAgentsFile, match="id of the agent 'ara' is that of 'parrot'"):
        await house.platform.agents.load(file)


async def test_whoever_changes_what_another_process_wrote_says_so(house: House, file: Path) -> None:
    with capture_logs() as logged:
        await house.platform.agents.load(file)
        await house.platform.agents.load(file)
    assert logged == []
    says(file, f'{PARROT}model = "big"\ntools = [{{ name = "search" }}]\n')
    with capture_logs() as logged:
        await house.platform.agents.load(file)
    assert [(each["event"], each["names"]) for each in logged] == [("agents_changed", ["parrot"])]
    parrot = await house.platform.agents.get("parrot")
    assert (parrot.model, parrot.tools) == ("big", ({"name": "search", "settings": {}},))


async def test_agents_of_the_file_are_changed_there(house: House) -> None:
    for verb in (
        house.platform.agents.delete("historian"),
        house.platform.agents.change(
            "historian", lambda _: AgentSpec(name="x", kind=AgentKind.LLM)
        ),
    ):
        with pytest.raises(AgentFromFile):
            await verb
    assert (await house.platform.agents.get("historian")).kind is AgentKind.PYTHON


async def test_of_two_who_ask_for_a_name_one_has_it(house: House) -> None:
    made = await asyncio.gather(*(make(house) for _ in range(4)), return_exceptions=True)
    assert [type(each) for each in made if isinstance(each, Exception)] == [AgentExists] * 3
    assert await house.count(agents, agents.c.name == "parrot") == 1


async def test_of_two_who_rename_to_it_one_has_it(house: House) -> None:
    names = [(await make(house, each)).name for each in ("a", "b")]
    renamed = AgentSpec(name="parrot", kind=AgentKind.ECHO)
    changes = (house.platform.agents.change(each, lambda _: renamed) for each in names)
    made = await asyncio.gather(*changes, return_exceptions=True)
    assert [type(each) for each in made if isinstance(each, Exception)] == [AgentExists]


async def test_its_pool_is_known_before_it_has_a_worker(house: House) -> None:
    await make(house, pool="attic")
    assert await house.count(pools, pools.c.name == "attic") == 1
    assert "attic" in await house.platform.agents.pools()
    session = await house.session("parrot")
    run = await house.run((await house.post(session)).run.id)
    assert run.pool == "attic"
    assert run.waiting_for is not None
