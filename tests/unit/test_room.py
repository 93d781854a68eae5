"""Room for what is queued: what is on its way counts, and nothing is lost by a new count."""

from contextlib import suppress
from uuid import UUID

import pytest

from shared.domain.errors import Overloaded, QueueFull
from shared.domain.limits import QueueBounds
from shared.ids import PrincipalId
from shared.service.room import Room

ANN, BOB = PrincipalId(UUID(int=1)), PrincipalId(UUID(int=2))


@pytest.fixture
def room() -> Room:
    return Room(QueueBounds(per_session=9, per_principal=3, overall=5))


def test_one_principal_has_so_much_room_and_all_have_so_much(room: Room) -> None:
    room.note(ANN, 3)
    refused = room.refusal(ANN)
    assert isinstance(refused, QueueFull)
    assert (refused.detail, refused.retry_after) == (
        "You have 3 queued runs; wait for some to end.",
        10,
    )
    assert room.refusal(BOB, beside=1) is None
    refused = room.refusal(BOB, beside=2)
    assert isinstance(refused, Overloaded)
    assert refused.retry_after == 30


def test_what_is_on_its_way_takes_up_room_until_it_has_come_or_not(room: Room) -> None:
    with room.kept(ANN, 2):
        assert room.refusal(ANN) is None
        assert room.refusal(ANN, beside=1) is not None
        with suppress(RuntimeError), room.kept(ANN, 1):
            assert room.refusal(ANN) is not None
            raise RuntimeError
        assert room.refusal(ANN) is None
    assert room.refusal(ANN, beside=2) is None


def test_a_count_replaces_what_was_known_but_not_what_came_meanwhile(room: Room) -> None:
    room.note(ANN, 3)
    with room.counting() as queued:
        room.note(ANN, 1)
        queued[BOB] = 2
    assert room.refusal(ANN, beside=1) is None
    assert isinstance(room.refusal(ANN, beside=2), QueueFull | Overloaded)
    assert room.refusal(BOB) is None
    assert isinstance(room.refusal(BOB, beside=1), QueueFull)


def test_a_count_that_fails_changes_nothing(room: Room) -> None:
    room.note(ANN, 2)
    with suppress(RuntimeError), room.counting():
        room.note(ANN, 1)
        raise RuntimeError
    assert room.refusal(ANN) is not None


def test_while_it_is_counted_the_old_count_holds(room: Room) -> None:
    room.note(ANN, 3)
    with room.counting():
        assert room.refusal(ANN) is not None
    assert room.refusal(ANN) is None
