"""When a worker is dead: observed by its beat, never by comparing clocks."""

from collections.abc import Mapping
from dataclasses import dataclass

from shared.ids import WorkerId


@dataclass(slots=True)
class _Sighting:
    beat: int
    since: float


class LeaseWatch:
    """What one sweeper has itself seen, on its own monotonic clock; all in seconds.

    A worker is dead when the same beat was read in every sweep over `lease`, with no two
    reads more than `widest_gap` apart; a longer gap starts the count again.
    """

    def __init__(self, *, lease: float, widest_gap: float) -> None:
        self._lease = lease
        self._widest_gap = widest_gap
        self._seen: dict[WorkerId, _Sighting] = {}
        self._last_read: float | None = None

    def observe(self, beats: Mapping[WorkerId, int], now: float) -> dict[WorkerId, int]:
        """Take in one read of all beats; return the dead, each with the beat last seen."""
        gap = self._last_read is None or now - self._last_read > self._widest_gap
        self._last_read = now
        known = {} if gap else self._seen
        self._seen = {
            worker_id: sighting
            if (sighting := known.get(worker_id)) and sighting.beat == beat
            else _Sighting(beat, now)
            for worker_id, beat in beats.items()
        }
        return {
            worker_id: sighting.beat
            for worker_id, sighting in self._seen.items()
            if now - sighting.since >= self._lease
        }
