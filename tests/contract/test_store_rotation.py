"""Whose turn it is, when there are more principals than one look takes in."""

from uuid import UUID

import pytest
import sqlalchemy as sa

from shared.ids import PrincipalId
from shared.service.announcing import Announcing
from shared.storage import announcing, rotation
from shared.storage.schema import runs
from tests.contract.test_store_announcing import ready_heads
from tests.platforms import House


async def test_in_a_crowd_everybody_has_a_turn(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotation, "_PRINCIPALS_A_LOOK", 2)
    crowd = [PrincipalId(UUID(int=number)) for number in range(1, 4)]
    for principal in crowd:
        await ready_heads(house, principal, 5)
    monkeypatch.setattr(rotation, "_anywhere", lambda: crowd[-1])
    [taken] = await Announcing(house.store).take("default", 1)
    [row] = await house.rows(sa.select(runs).where(runs.c.id == taken.run_id))
    assert row.principal_id == crowd[-1]


async def test_a_take_goes_on_past_its_first_principals(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(announcing, "_PRINCIPALS_A_TAKE", 2)
    for number in range(1, 6):
        await ready_heads(house, PrincipalId(UUID(int=number)), 1)
    assert len(await Announcing(house.store).take("default", 50)) == 5
