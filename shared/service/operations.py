"""Operations: is it well, and if not, which row is ill."""

from shared import telemetry
from shared.clock import monotonic
from shared.dispatch.relay import BrokerState, Publisher
from shared.domain.errors import Unavailable
from shared.domain.findings import Finding
from shared.domain.health import Probe, Readiness
from shared.domain.run import LIVE, RunStatus
from shared.storage import doctor, health
from shared.storage.store import Store


class Operations:
    """What operators look at."""

    def __init__(self, store: Store, publisher: Publisher) -> None:
        self._store = store
        self._publisher = publisher

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

    async def refresh_metrics(self) -> None:
        """Fill the gauges that are read from the database."""
        async with self._store.reading() as reading:
            now = await self._store.now(reading)
            depths = await health.depths(reading, now)
            states = await health.states(reading)
        for pool, (depth, oldest) in depths.items():
            telemetry.QUEUE_DEPTH.labels(pool).set(depth)
            telemetry.QUEUE_OLDEST.labels(pool).set(oldest)
        for status in (RunStatus.QUEUED, *LIVE):
            telemetry.RUNS.labels(status).set(states.get(status, 0))

    async def doctor(self) -> list[Finding]:
        """Check the invariants over the database."""
        async with self._store.reading() as reading:
            return await doctor.examine(reading)
