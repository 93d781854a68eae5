"""Operations: how it stands, is it well, and if not, which row is ill."""

import asyncio

from shared import telemetry
from shared.clock import monotonic
from shared.dispatch.relay import BrokerState, Publisher
from shared.domain.errors import Unavailable
from shared.domain.findings import Examination, Finding
from shared.domain.health import Probe, Readiness
from shared.domain.operations import Figures, Overview, Worker, WorkerState
from shared.domain.paging import Listing, Page
from shared.service.retention import Retention
from shared.storage import doctor, health, operations, sizes
from shared.storage.store import Store


class Operations:
    """What operators look at."""

    def __init__(
        self,
        store: Store,
        publisher: Publisher,
        retention: Retention,
        *,
        fresh_seconds: float = 2.0,
    ) -> None:
        self._store = store
        self._publisher = publisher
        self._retention = retention
        self.fresh_seconds = fresh_seconds  # counting a long queue takes a while
        self._counting = asyncio.Lock()
        self._counted: Figures | None = None
        self._counted_at = 0.0

    async def ready(self) -> Readiness:
        """Probe the database and the broker."""
        state = self._publisher.state
        broker = Probe(ok=state is BrokerState.UP, state=state.value)
        started = monotonic()
        try:
            async with self._store.reading() as reading:
                await health.ping(reading)
        except Unavailable:
            return Readiness(database=Probe(ok=False, state="down"), broker=broker)
        if not self._store.writing:
            return Readiness(database=Probe(ok=False, state="not written"), broker=broker)
        latency = round((monotonic() - started) * 1000, 3)
        return Readiness(database=Probe(ok=True, state="up", latency_ms=latency), broker=broker)

    async def figures(self) -> Figures:
        """Count what is unfinished; whoever asks within `fresh_seconds` is told the same."""
        async with self._counting:
            if self._counted is None or monotonic() - self._counted_at >= self.fresh_seconds:
                async with self._store.reading() as reading:
                    self._counted = await operations.figures(self._store, reading)
                self._counted_at = monotonic()
            return self._counted

    async def overview(self) -> Overview:
        """Tell how it stands, and whether what it stands on answers."""
        return Overview(figures=await self.figures(), readiness=await self.ready())

    async def refresh_metrics(self) -> None:
        """Fill the gauges that are read from the database."""
        figures = await self.figures()
        for pool, backlog in figures.backlog.items():
            telemetry.QUEUE_DEPTH.labels(pool).set(backlog.queued)
            telemetry.QUEUE_OLDEST.labels(pool).set(backlog.oldest_seconds)
        for status, number in figures.runs.items():
            telemetry.RUNS.labels(status).set(number)

    async def workers(self, state: WorkerState, page: Page) -> Listing[Worker]:
        """List worker processes."""
        async with self._store.reading() as reading:
            return await operations.workers_page(reading, state, page)

    async def doctor(self) -> list[Finding]:
        """Check the invariants over the database."""
        async with self._store.reading() as reading:
            return await doctor.examine(reading)

    async def examine(self) -> Examination:
        """Check the invariants, and tell how much there is and how old it is."""
        findings = await self.doctor()
        keepings = await self._retention.keepings()
        async with self._store.reading() as reading:
            return Examination(
                at=await self._store.now(reading),
                findings=tuple(findings),
                sizes=tuple(await sizes.sizes(self._store, reading)),
                keepings=tuple(keepings),
            )
