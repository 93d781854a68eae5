"""Whose turn it is among runs that wait for the same thing: every principal's in turn.

The second run of one principal comes after the first run of every other; within that, higher
priority and then age go first.
"""

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from shared.clock import Instant
from shared.ids import PrincipalId, RunId

_Key: TypeAlias = tuple[int, int, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiter:
    """A run that waits."""

    run_id: RunId
    principal_id: PrincipalId
    priority: int
    ready_at: Instant


class Crowd:
    """Who waits, kept so that a place in it is found without looking at everybody."""

    def __init__(self, waiters: Iterable[Waiter] = ()) -> None:
        self._of: dict[PrincipalId, list[_Key]] = defaultdict(list)
        for each in waiters:
            self._of[each.principal_id].append(_key(each))
        for keys in self._of.values():
            keys.sort()

    def add(self, waiter: Waiter) -> None:
        """Let a run wait, too; one that does already stays where it is."""
        self.remove(waiter)
        insort(self._of[waiter.principal_id], _key(waiter))

    def remove(self, waiter: Waiter) -> None:
        """Let a run wait no more, if it did."""
        keys = self._of[waiter.principal_id]
        if (place := bisect_left(keys, _key(waiter))) < len(keys) and keys[place] == _key(waiter):
            del keys[place]

    def ahead_of(self, waiter: Waiter) -> int:
        """Count those whose turn comes before this run's, whether it waits here or not."""
        mine = _key(waiter)
        own = bisect_left(self._of[waiter.principal_id], mine)
        others = (keys for each, keys in self._of.items() if each != waiter.principal_id)
        return own + sum(
            min(len(keys), own) + (own < len(keys) and keys[own] < mine) for keys in others
        )


def _key(waiter: Waiter) -> _Key:
    return (-waiter.priority, waiter.ready_at, waiter.run_id.bytes)
