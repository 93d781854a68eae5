"""A worker in the test's own hands: it claims a run and ends it as told."""

import asyncio

from shared.bootstrap import Platform
from shared.domain.execution import Claim, NewWorker, Settlement
from shared.domain.message import Reply
from shared.domain.outcome import Outcome, Succeeded
from shared.domain.paging import Page
from shared.domain.principal import Principal
from shared.domain.requests import RunFilter
from shared.domain.run import RunStatus
from shared.ids import RunId, WorkerId, new_id, parse


class Performer:
    """Claims and settles by run id, as clients spell it."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.execution = platform.execution
        self.worker_id = WorkerId(new_id())
        self.claims: dict[str, Claim] = {}

    async def enlist(self) -> None:
        """Be a live worker, so that runs wait for nothing but a slot."""
        await self.execution.register(
            NewWorker(id=self.worker_id, name="test", pools=("default",), slots=9)
        )

    async def start(self, run: str) -> None:
        """Claim a run."""
        await self.enlist()
        claim = await self.execution.claim(self.worker_id, RunId(parse("run", run)))
        assert isinstance(claim, Claim), claim
        self.claims[run] = claim

    async def end(self, run: str, outcome: Outcome) -> None:
        """Settle a run that was started."""
        claim = self.claims.pop(run)
        settled = await self.execution.settle(
            Settlement(
                run_id=claim.run_id,
                session_id=claim.session_id,
                fence=claim.fence,
                outcome=outcome,
            )
        )
        assert settled.accepted

    async def answer(self, run: str, content: str = "an answer") -> None:
        """Perform a run from beginning to end."""
        await self._perform(run, Reply(content=content))

    async def answer_next(self, principal: Principal, content: str) -> None:
        """Wait for this principal's next run, then perform it: its caller waits for the answer."""
        await self.reply_next(principal, Reply(content=content))

    async def reply_next(self, principal: Principal, reply: Reply) -> None:
        """Do the same with all that an answer may be."""
        filters, page = RunFilter(status=RunStatus.QUEUED), Page(limit=1)
        async with asyncio.timeout(10):
            while not (found := (await self.platform.runs.list(principal, filters, page)).data):
                pass
        await self._perform(f"run_{found[0].id.hex}", reply)

    async def _perform(self, run: str, reply: Reply) -> None:
        await self.start(run)
        await self.end(run, Succeeded(reply=reply))
