from shared.domain.run import LIVE, TERMINAL, TRANSITIONS, RunEvent, RunStatus, sources, target


def test_every_event_has_its_transition() -> None:
    assert set(TRANSITIONS) == set(RunEvent)


def test_terminal_is_what_no_event_leaves() -> None:
    assert {RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.CANCELLED} == TERMINAL
    for event in RunEvent:
        assert not sources(event) & TERMINAL


def test_every_state_is_reached_and_the_first_is_queued() -> None:
    reached = {RunStatus.QUEUED}
    while more := {target(e) for e in RunEvent if sources(e) & reached} - reached:
        reached |= more
    assert reached == set(RunStatus)


def test_every_unfinished_state_can_end() -> None:
    ends = set(TERMINAL)
    while more := {s for e in RunEvent if target(e) in ends for s in sources(e)} - ends:
        ends |= more
    assert ends == set(RunStatus)


def test_only_a_claim_leads_to_running() -> None:
    assert [event for event in RunEvent if target(event) is RunStatus.RUNNING] == [RunEvent.CLAIM]
    assert sources(RunEvent.CLAIM) == {RunStatus.QUEUED}


def test_live_is_what_keeps_a_session_busy_at_a_worker_or_a_human() -> None:
    assert {RunStatus.RUNNING, RunStatus.WAITING} == LIVE
