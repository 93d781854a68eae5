"""Every principal has its turn; a place in the crowd is what counting it out would give."""

from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.clock import Instant
from shared.domain.crowd import Crowd, Waiter
from shared.ids import PrincipalId, RunId


def waiter(number: int, principal: int, priority: int = 0, ready_at: int = 0) -> Waiter:
    return Waiter(
        run_id=RunId(UUID(int=number)),
        principal_id=PrincipalId(UUID(int=principal)),
        priority=priority,
        ready_at=Instant(ready_at),
    )


def in_turn(waiters: list[Waiter]) -> list[Waiter]:
    """The order, the long way round: by round, priority, age."""
    by_rank = sorted(waiters, key=lambda w: (-w.priority, w.ready_at, w.run_id.bytes))
    rounds: dict[UUID, int] = {}
    round_of = {}
    for each in by_rank:
        round_of[each] = rounds[each.principal_id] = rounds.get(each.principal_id, -1) + 1
    return sorted(by_rank, key=lambda w: round_of[w])


WAITERS = st.lists(
    st.tuples(st.integers(0, 3), st.integers(-2, 2), st.integers(0, 5)), min_size=1, max_size=25
).map(lambda drawn: [waiter(n, *each) for n, each in enumerate(drawn)])


@given(WAITERS)
@settings(max_examples=80)
def test_a_place_is_what_the_order_says(waiters: list[Waiter]) -> None:
    crowd = Crowd(waiters)
    places = {each: crowd.ahead_of(each) for each in waiters}
    assert sorted(waiters, key=lambda w: places[w]) == in_turn(waiters)
    assert sorted(places.values()) == list(range(len(waiters)))


@given(WAITERS, st.data())
@settings(max_examples=50)
def test_who_comes_and_goes_leaves_the_others_in_order(
    waiters: list[Waiter], data: st.DataObject
) -> None:
    gone = set(data.draw(st.lists(st.sampled_from(waiters))))
    crowd = Crowd()
    for each in (*waiters, *waiters):
        crowd.add(each)
    for each in (*gone, *gone):
        crowd.remove(each)
    left = [each for each in waiters if each not in gone]
    assert [crowd.ahead_of(each) for each in in_turn(left)] == list(range(len(left)))


def test_who_has_many_waiting_does_not_keep_the_next_one_waiting() -> None:
    crowd = Crowd(waiter(n, principal=1, ready_at=n) for n in range(100))
    assert crowd.ahead_of(waiter(200, principal=2, ready_at=200)) == 1
    assert crowd.ahead_of(waiter(201, principal=1, ready_at=200)) == 100
    assert crowd.ahead_of(waiter(202, principal=2, priority=1, ready_at=200)) == 0
