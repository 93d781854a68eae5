"""What SQL says this worker holds, against what it does hold.

A beat keeps alive what its owner forgot; this is what finds it. The comparison is pure.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import NoReturn, TypeAlias

import structlog

from shared.domain.errors import Unavailable
from shared.domain.execution import Held, Settlement
from shared.domain.outcome import GivenBack
from shared.ids import RunId, WorkerId
from workers.attempt import Attempt
from workers.ending import Stop
from workers.ports import Execution
from workers.timing import Timing

log = structlog.get_logger(__name__)

Fenced: TypeAlias = tuple[RunId, int]  # run and fence


@dataclass(frozen=True, slots=True, kw_only=True)
class Actions:
    """What to do about the differences; `suspects` are given back if seen again."""

    cancel: frozenset[Fenced]
    abort: frozenset[Fenced]
    give_back: tuple[Held, ...]
    suspects: frozenset[Fenced]


def compare(
    held: Iterable[Held],
    *,
    before: Mapping[RunId, int],
    known: Collection[RunId],
    suspects: Collection[Fenced],
) -> Actions:
    """Compare SQL's rows with the registry.

    `before` are run and fence as registered before SQL was asked: a claim that came while it
    answered is not in its answer. `known` are the ids registered or in a claim, before or
    since.
    """
    rows = {row.run_id: row for row in held}
    unknown = [row for row in rows.values() if row.run_id not in known]
    ours = _keys(row for row in rows.values() if before.get(row.run_id) == row.fence)
    again = tuple(row for row in unknown if (row.run_id, row.fence) in suspects)
    return Actions(
        cancel=ours & _keys(row for row in rows.values() if row.cancel_requested),
        abort=frozenset(before.items()) - ours,
        give_back=again,
        suspects=_keys(unknown) - _keys(again),
    )


def _keys(rows: Iterable[Held]) -> frozenset[Fenced]:
    return frozenset((row.run_id, row.fence) for row in rows)


class Reconciliation:
    """Compares, and acts on what differs."""

    def __init__(
        self,
        *,
        worker_id: WorkerId,
        execution: Execution,
        registry: Mapping[RunId, Attempt],
        claiming: Collection[RunId],
        timing: Timing,
    ) -> None:
        self._worker_id = worker_id
        self._execution = execution
        self._registry = registry
        self._claiming = claiming
        self._timing = timing
        self._suspects: frozenset[Fenced] = frozenset()

    async def run(self, every_seconds: float) -> NoReturn:
        """Compare for ever; while the database is away there is nothing to compare with."""
        while True:
            await self._timing.sleep(every_seconds)
            try:
                await self.once()
            except Unavailable:
                continue
            except Exception:
                log.exception("reconciliation_failed")  # the next comparison may well succeed

    async def once(self) -> None:
        """Compare once."""
        before = {
            run_id: attempt.claim.fence
            for run_id, attempt in self._registry.items()
            if not attempt.settling
        }
        known = set(self._registry) | set(self._claiming)
        held = await self._execution.held(self._worker_id)
        known |= set(self._registry) | set(self._claiming)
        actions = compare(held, before=before, known=known, suspects=self._suspects)
        self._suspects = actions.suspects
        self._stop(actions.cancel, Stop.CANCEL)
        self._stop(actions.abort, Stop.ABORT)
        for row in actions.give_back:
            await self._give_back(row)

    def _stop(self, claims: Iterable[Fenced], why: Stop) -> None:
        for run_id, fence in claims:
            attempt = self._registry.get(run_id)
            if attempt and attempt.claim.fence == fence:
                attempt.stop(why)

    async def _give_back(self, row: Held) -> None:
        log.warning("forgotten_run_given_back", run_id=str(row.run_id), fence=row.fence)
        await self._execution.settle(
            Settlement(
                run_id=row.run_id,
                session_id=row.session_id,
                fence=row.fence,
                outcome=GivenBack(),
            )
        )
