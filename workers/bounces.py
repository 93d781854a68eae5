"""How long a full worker holds an announcement before somebody else should have it.

The broker may deliver a run that was handed back to the very worker that had no slot for it.
The first time is waited for, in case a slot comes free; an announcement that comes right back
goes on at once, so that it reaches the idle worker in a few hops. After several of those the
others' report of free slots is stale, and patience begins again.
"""

from collections.abc import Callable

from shared.ids import RunId

FIRST_HOLD_SECONDS = 0.5
QUICK_HOLD_SECONDS = 0.05
PATIENT_HOLD_SECONDS = 2.0
PAUSE_SECONDS = 1.0
QUICK_TIMES = 6
REMEMBERED_SECONDS = 10.0


class Bounces:
    """Remembers what was handed back lately."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._seen: dict[RunId, tuple[int, float]] = {}

    def hold(self, run_id: RunId) -> float:
        """Return how many seconds to wait for a slot before looking at the others."""
        times = self._times(run_id)
        if times == 0:
            return FIRST_HOLD_SECONDS
        return QUICK_HOLD_SECONDS if times <= QUICK_TIMES else PATIENT_HOLD_SECONDS

    def note(self, run_id: RunId) -> None:
        """Remember that the run is handed back now."""
        times = self._times(run_id) + 1
        now = self._monotonic()
        self._seen.pop(run_id, None)
        self._seen[run_id] = (times, now)
        self._forget(now)

    def pause(self, run_id: RunId) -> float:
        """Return in how many seconds it should be announced again."""
        times = self._times(run_id)
        return 0.0 if 1 < times <= QUICK_TIMES else PAUSE_SECONDS

    def _times(self, run_id: RunId) -> int:
        times, at = self._seen.get(run_id, (0, 0.0))
        return times if self._monotonic() - at < REMEMBERED_SECONDS else 0

    def _forget(self, now: float) -> None:
        """Drop the oldest, which come first."""
        while self._seen:
            run_id, (_, at) = next(iter(self._seen.items()))
            if now - at < REMEMBERED_SECONDS:
                return
            del self._seen[run_id]
