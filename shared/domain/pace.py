"""How long runs take lately, and when it is worth asking again."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from shared.domain.run import TERMINAL, Run, RunStatus
from shared.domain.session import SessionStatus, Standing

_LATELY = 20  # runs, after which one more counts a twentieth
SOONEST, LATEST = 1, 60
_IDLE, _HUMAN, _UNKNOWN = 30, 10, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Workforce:
    """Who serves a pool: slots of live workers, and the seconds a run takes; null: not measured."""

    slots: int = 0
    seconds: float | None = None


NOBODY = Workforce()


@dataclass(frozen=True, slots=True, kw_only=True)
class Hand:
    """What one live worker says of itself."""

    pools: tuple[str, ...]
    slots: int
    run_seconds: Mapping[str, float]


class Pace:
    """A moving average of run times, pool by pool."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._counted: Counter[str] = Counter()

    def note(self, pool: str, seconds: float) -> None:
        """Let one more run count."""
        self._counted[pool] = min(self._counted[pool] + 1, _LATELY)
        mean = self.seconds.get(pool, 0.0)
        self.seconds[pool] = mean + (seconds - mean) / self._counted[pool]


def workforces(hands: Iterable[Hand]) -> dict[str, Workforce]:
    """Sum up live workers, pool by pool."""
    slots: Counter[str] = Counter()
    measured: defaultdict[str, list[float]] = defaultdict(list)
    for hand in hands:
        for pool in hand.pools:
            slots[pool] += hand.slots
            if pool in hand.run_seconds:
                measured[pool].append(hand.run_seconds[pool])
    return {
        pool: Workforce(
            slots=count,
            seconds=sum(measured[pool]) / len(measured[pool]) if measured[pool] else None,
        )
        for pool, count in slots.items()
    }


def session_poll_after(session: Standing, force: Workforce) -> int:
    """Say in how many seconds to look at a session again: half a run's time while one is due."""
    match session.status:
        case SessionStatus.RUNNING | SessionStatus.QUEUED:
            return _half(force.seconds)
        case SessionStatus.WAITING:
            return _HUMAN
    return _IDLE


def run_poll_after(run: Run, force: Workforce) -> int | None:
    """Say in how many seconds to look at a run again; null once it has ended."""
    if run.status in TERMINAL:
        return None
    if run.status is RunStatus.WAITING:
        return _HUMAN
    expected = run.waiting_for.eta_seconds if run.waiting_for else None
    if expected is None or force.seconds is None:
        return _half(force.seconds if expected is None else expected)
    return _half(expected + force.seconds)


def _half(seconds: float | None) -> int:
    """Half of what is to be expected: a poller that asks then is at most that late."""
    return _UNKNOWN if seconds is None else min(LATEST, max(SOONEST, math.ceil(seconds / 2)))
