"""The deliverer: takes what is due, posts it, records what came of it.

No transaction is open while it posts. An attempt that is not recorded within its hold, because
its process died, is made again: at least once, with the same id.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Protocol

import structlog

from shared import telemetry
from shared.domain.errors import Unavailable
from shared.domain.webhook import Answer, Outgoing, Tried, judge
from shared.ids import spell
from workers.signing import headers
from workers.timing import Timing, patiently

log = structlog.get_logger(__name__)

AT_ONCE, AT_ONE_TARGET = 64, 8
_LOOK_SECONDS = 1.0
_MOST_FAILING = 10_000


class Delivering(Protocol):
    """The store's side; `shared.service.Delivering` answers. Verbs raise `Unavailable`."""

    def ring(self) -> None:
        """Say that there may be something to deliver."""

    async def wait(self, seconds: float) -> None:
        """Wait until somebody rings, or until the time is up."""

    async def take(
        self,
        *,
        room: int,
        share: int,
        rooms: Mapping[str, int],
        hold_seconds: float,
        likely: bool = False,
    ) -> list[Outgoing]:
        """Hold due deliveries."""

    async def record(self, tried: Tried) -> bool:
        """Write what came of an attempt."""


class Outbound(Protocol):
    """The way out."""

    async def post(self, url: str, headers: Mapping[str, str], body: str) -> Answer:
        """Post once; raises nothing."""


class Deliverer:
    """Many attempts at once, few of them to one target, one to a target that fails."""

    def __init__(
        self,
        delivering: Delivering,
        outbound: Outbound,
        *,
        hold_seconds: float,
        timing: Timing | None = None,
    ) -> None:
        self._delivering = delivering
        self._outbound = outbound
        self._hold_seconds = hold_seconds
        self._timing = timing or Timing()
        self._attempts: set[asyncio.Task[None]] = set()
        self._busy: Counter[str] = Counter()
        self._failing: dict[str, None] = {}
        self._more = False  # perhaps: the last look found some, or did not look everywhere
        self._draining = False

    async def run(self) -> None:
        """Deliver until cancelled or drained; what is under way goes on."""
        while not self._draining:
            try:
                await self.look()
            except Unavailable as error:
                log.warning("deliveries_not_taken", reason=error.detail)
            except Exception:
                log.exception("deliveries_not_taken")  # the next look may well succeed
            await self._delivering.wait(_LOOK_SECONDS)

    async def look(self) -> None:
        """Take what there is room for, and begin to deliver it."""
        room = AT_ONCE - len(self._attempts)
        if room <= 0:
            self._more = True
            return
        targets = self._busy.keys() | self._failing.keys()
        rooms = {target: self._share(target) - self._busy[target] for target in targets}
        taken = await self._delivering.take(
            room=room,
            share=AT_ONE_TARGET,
            rooms=rooms,
            hold_seconds=self._hold_seconds,
            likely=self._more,
        )
        self._more = bool(taken) or min(rooms.values(), default=1) <= 0
        for outgoing in taken:
            self._busy[outgoing.target] += 1
            attempt = asyncio.create_task(self._deliver(outgoing))
            self._attempts.add(attempt)
            attempt.add_done_callback(self._attempts.discard)

    async def drain(self, seconds: float) -> None:
        """Take nothing more, give what is under way that long, and let go of the rest."""
        self._draining = True
        attempts = set(self._attempts)
        if attempts:
            await asyncio.wait(attempts, timeout=seconds)
        for attempt in attempts:
            attempt.cancel()
        await asyncio.gather(*attempts, return_exceptions=True)

    def _share(self, target: str) -> int:
        return 1 if target in self._failing else AT_ONE_TARGET

    async def _deliver(self, outgoing: Outgoing) -> None:
        try:
            answer = await self._outbound.post(outgoing.url, headers(outgoing), outgoing.body)
            verdict = judge(outgoing.attempt, answer, self._timing.uniform)
            tried = Tried(outgoing=outgoing, answer=answer, verdict=verdict)
            self._tell(tried)
            await patiently(lambda: self._delivering.record(tried), self._timing)
        except Exception:
            log.exception("delivery_not_recorded", delivery_id=spell("delivery", outgoing.id))
        finally:
            self._leave(outgoing.target)

    def _leave(self, target: str) -> None:
        self._busy[target] -= 1
        # A look for each one that ends would be many; at half there is still enough to do.
        if self._more and self._busy[target] <= self._share(target) // 2:
            self._delivering.ring()
        if self._busy[target] <= 0:
            del self._busy[target]

    def _tell(self, tried: Tried) -> None:
        """Remember how the target does, and count."""
        target = tried.outgoing.target
        if tried.verdict.delivered:
            self._failing.pop(target, None)
            result = "delivered"
        else:
            if len(self._failing) >= _MOST_FAILING:
                self._failing.clear()
            self._failing[target] = None
            result = "retried" if tried.verdict.again is not None else "failed"
            log.info(
                "delivery_failed",
                delivery_id=spell("delivery", tried.outgoing.id),
                target=target,
                status=tried.answer.status,
                error=tried.answer.error,
            )
        telemetry.DELIVERIES.labels(result).inc()
