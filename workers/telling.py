"""What an attempt tells readers while it runs, and what is left for its settle.

All attempts of a process tell at the same moments, so that one transaction carries them all.
A short run tells nothing by itself: all it said goes with its settle.
"""

import asyncio
from collections.abc import Callable
from typing import NoReturn

import structlog

from shared.clock import Instant, after
from shared.domain.errors import Unavailable
from shared.domain.event import EventType, NewEvent, Said, opening
from shared.domain.execution import Append, Claim
from shared.domain.jsontypes import JsonObject
from shared.domain.message import Reply
from shared.ids import MessageId, new_id
from workers.agents.progress import Progress, Utterance
from workers.ports import Execution

log = structlog.get_logger(__name__)

TELL_SECONDS = 0.1
_AWAY_SECONDS = 1.0
_MOST_EVENTS, _MOST_CHARS = 500, 500_000  # of one append
_EVERYTHING = 1 << 62


class Telling:
    """Turns what was said into events with numbers; on the house loop."""

    def __init__(
        self, claim: Claim, progress: Progress, execution: Execution, *, began: float
    ) -> None:
        self.output_id = MessageId(new_id())
        self._claim = claim
        self._progress = progress
        self._execution = execution
        self._began = began
        self._told = claim.event_count  # that the store is known to have
        self._batch: list[NewEvent] = []
        self._opening = opening(
            claim.attempt, claim.fence, claim.claimed_at, first=not claim.event_count
        )
        self._index = 0
        self._mute = False

    @property
    def first_token_at(self) -> Instant | None:
        """The claim's instant is the database's; only a duration of ours is added to it."""
        return None if self._progress.first_at is None else self._at(self._progress.first_at)

    async def live(self, stale: Callable[[], None]) -> NoReturn:
        """Tell what was said, again and again, until cancelled; `stale` if the run is not ours."""
        while True:
            await asyncio.sleep(_until_next(asyncio.get_running_loop().time()))
            try:
                while self._has_more and not self._mute:
                    if not await self._tell():
                        stale()
                        self._mute = True
            except Unavailable:
                await asyncio.sleep(_AWAY_SECONDS)  # what is said meanwhile is joined
            except Exception:
                # Its events must not cost the run: the settle says what matters.
                log.exception("events_refused")
                self._mute = True

    def close(self, reply: Reply | None) -> None:
        """Add what only the reply says, and listen no more."""
        try:
            if reply is not None:
                self._progress.complete(reply)
        except Exception:
            # Whatever an agent put into its reply is judged by the settle.
            log.exception("reply_not_told")
        self._progress.stopped.set()

    def rest(self) -> Said | None:
        """Return what is not told yet; null if it cannot be."""
        if self._mute:
            return None
        left = self._batch + self._events(_EVERYTHING, _EVERYTHING)
        return Said(start=self._told, events=tuple(left))

    @property
    def _has_more(self) -> bool:
        return bool(self._batch or self._opening or self._progress.waiting)

    async def _tell(self) -> bool:
        # A batch stays as it is until it is answered: told again, its numbers are the same.
        self._batch = self._batch or self._events(_MOST_EVENTS, _MOST_CHARS)
        accepted = await self._execution.append(
            Append(
                run_id=self._claim.run_id,
                session_id=self._claim.session_id,
                fence=self._claim.fence,
                said=Said(start=self._told, events=tuple(self._batch)),
                first_token_at=self.first_token_at,
            )
        )
        self._told += len(self._batch)
        self._batch = []
        return accepted

    def _events(self, most: int, most_chars: int) -> list[NewEvent]:
        first, self._opening = self._opening, []
        return first + [self._event(each) for each in self._progress.take(most, most_chars)]

    def _event(self, said: Utterance) -> NewEvent:
        return NewEvent(
            type=said.type, data=self._data(said), at=self._at(said.at), weight=said.weight
        )

    def _data(self, said: Utterance) -> JsonObject:
        if said.type is EventType.REASONING_DELTA:
            return {"text": said.text}
        if said.type is not EventType.MESSAGE_DELTA:
            return said.data
        index, self._index = self._index, self._index + 1
        return {"message_id": self.output_id.hex, "index": index, "text": said.text}

    def _at(self, monotonic: float) -> Instant:
        return after(self._claim.claimed_at, max(0.0, monotonic - self._began))


def _until_next(now: float) -> float:
    return TELL_SECONDS - now % TELL_SECONDS
