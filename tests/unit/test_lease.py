from shared.domain.lease import LeaseWatch
from shared.ids import WorkerId, new_id

ANNA, BERT = WorkerId(new_id()), WorkerId(new_id())


def watch() -> LeaseWatch:
    return LeaseWatch(lease=30, widest_gap=10)


def test_a_worker_is_dead_after_a_lease_of_the_same_beat() -> None:
    lease = watch()
    for second in range(0, 30, 5):
        assert lease.observe({ANNA: 7}, second) == {}
    assert lease.observe({ANNA: 7}, 30) == {ANNA: 7}


def test_a_beat_starts_the_count_again_for_its_worker_only() -> None:
    lease = watch()
    for second in range(0, 30, 5):
        lease.observe({ANNA: second // 15, BERT: 1}, second)
    assert lease.observe({ANNA: 1, BERT: 1}, 30) == {BERT: 1}
    assert lease.observe({ANNA: 1, BERT: 1}, 40) == {BERT: 1}
    assert lease.observe({ANNA: 1, BERT: 1}, 45) == {ANNA: 1, BERT: 1}


def test_a_sweeper_that_looked_away_starts_again() -> None:
    lease = watch()
    for second in range(0, 30, 5):
        lease.observe({ANNA: 7}, second)
    assert lease.observe({ANNA: 7}, 36) == {}
    for second in range(41, 66, 5):
        assert lease.observe({ANNA: 7}, second) == {}
    assert lease.observe({ANNA: 7}, 66) == {ANNA: 7}


def test_a_gap_of_just_the_widest_is_none() -> None:
    lease = watch()
    assert [lease.observe({ANNA: 7}, second) for second in (0, 10, 20)] == [{}, {}, {}]
    assert lease.observe({ANNA: 7}, 30) == {ANNA: 7}


def test_a_new_sweeper_has_seen_nothing() -> None:
    assert watch().observe({ANNA: 7}, 1_000_000) == {}


def test_who_is_gone_is_forgotten() -> None:
    lease = watch()
    for second in range(0, 25, 5):
        lease.observe({ANNA: 7}, second)
    lease.observe({}, 25)
    assert lease.observe({ANNA: 7}, 30) == {}
