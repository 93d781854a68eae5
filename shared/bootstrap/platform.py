"""Everything, composed: settings in, a running platform out."""

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog
from dramatiq import Broker

from shared.bootstrap.lifetimes import open_lifetimes, visibility_of
from shared.bootstrap.stores import open_retention, open_store, prepare
from shared.bootstrap.transport import broker_of, wire_of
from shared.dispatch.relay import Publisher, Relay
from shared.domain.errors import Unavailable
from shared.domain.lease import LeaseWatch
from shared.domain.limits import QueueBounds
from shared.domain.rates import RequestRates, parse_rate
from shared.domain.retry import RetryPolicy
from shared.ids import SessionId
from shared.service.agents import Agents
from shared.service.announcing import Announcing
from shared.service.bulk import Bulk
from shared.service.configurations import Configurations
from shared.service.credentials import Credentials
from shared.service.delivering import Delivering
from shared.service.events import Events
from shared.service.execution import Execution
from shared.service.forces import Forces
from shared.service.intake import Intake
from shared.service.keys import Keys
from shared.service.lifetimes import Lifetimes
from shared.service.messages import Messages
from shared.service.operations import Operations
from shared.service.pools import Pools
from shared.service.recurrence import Recurrence
from shared.service.rooms import Rooms
from shared.service.runs import Runs
from shared.service.schedules import Schedules
from shared.service.sessions import Sessions
from shared.service.standings import Standings
from shared.service.states import States
from shared.service.targets import Targets
from shared.service.tokens import Tokens
from shared.service.turns import Turns
from shared.service.upkeep import Upkeep
from shared.service.webhooks import Webhooks
from shared.settings import Settings
from shared.signals import Position, Signals, VersionPoller
from shared.storage.sessions import positions
from shared.storage.store import Store

log = structlog.get_logger(__name__)

_AGENTS_FILE = Path("agents.toml")


@dataclass(frozen=True, kw_only=True)
class Platform:
    """The services of one process, on the loop that opened them: the house loop."""

    settings: Settings
    rates: RequestRates
    signals: Signals
    relay: Relay
    broker: Broker
    sessions: Sessions
    configurations: Configurations
    standings: Standings
    forces: Forces
    lifetimes: Lifetimes
    messages: Messages
    intake: Intake
    runs: Runs
    turns: Turns
    events: Events
    rooms: Rooms
    agents: Agents
    schedules: Schedules
    states: States
    keys: Keys
    credentials: Credentials
    webhooks: Webhooks
    targets: Targets
    delivering: Delivering
    execution: Execution
    upkeep: Upkeep
    operations: Operations
    pools: Pools
    bulk: Bulk


@asynccontextmanager
async def open_platform(settings: Settings) -> AsyncIterator[Platform]:
    """Open store, broker and services, and keep writers, relay and poller running.

    SQLite is taken for this process alone, migrated, and what its last owner held is given
    back. Raises AlreadyOwned, SchemaBehind, Unavailable, BadAgentsFile, OSError, ValueError.
    """
    store = open_store(settings)
    signals = Signals(wire_of(settings))
    broker, publisher = broker_of(settings)
    relay = Relay(Announcing(store, certain=settings.embedded), publisher)
    platform = _compose(settings, store, signals, relay, broker, publisher)
    tasks: list[asyncio.Task[None]] = []
    try:
        await prepare(store)
        store.start()
        await platform.agents.load(_agents_file(settings))
        if settings.bootstrap_key:
            await platform.keys.bootstrap(settings.bootstrap_key)
        if store.sqlite:
            await platform.upkeep.bury_everybody()
        if settings.embedded:
            await platform.upkeep.forget_announcements()
        await publisher.start()
        await signals.start()
        tasks = [asyncio.create_task(work) for work in _background(platform, store)]
        _spare_the_collector()
        yield platform
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await signals.close()
        await publisher.close()
        broker.close()
        await store.close()


def _agents_file(settings: Settings) -> Path | None:
    return settings.agents_file or (_AGENTS_FILE if _AGENTS_FILE.exists() else None)


def _compose(
    settings: Settings,
    store: Store,
    signals: Signals,
    relay: Relay,
    broker: Broker,
    publisher: Publisher,
) -> Platform:
    patience = RetryPolicy(max_attempts=settings.max_attempts)
    agents = Agents(store, patience, scripted=settings.scripted_agent)
    bounds = QueueBounds(
        per_session=settings.max_queued_per_session,
        per_principal=settings.max_queued_per_principal,
        overall=settings.max_queued,
    )
    targets = Targets(allow_private=settings.allow_private_urls)
    delivering = Delivering(store)
    execution = Execution(
        store,
        signals,
        relay,
        max_wait_seconds=settings.max_wait_hours * 3600,
        notified=delivering.ring,
    )
    intake = Intake(store, signals, relay, bounds, visibility_of(settings))
    watch = LeaseWatch(lease=settings.lease_seconds, widest_gap=2 * settings.sweep_seconds)
    rates = _rates(settings)
    retention = open_retention(settings, store)
    keys = Keys(store, rates)
    return Platform(
        settings=settings,
        rates=rates,
        signals=signals,
        relay=relay,
        broker=broker,
        sessions=Sessions(store, signals, agents),
        configurations=Configurations(store, patience),
        standings=Standings(store, signals),
        forces=Forces(store),
        lifetimes=open_lifetimes(settings, store, signals, agents),
        messages=Messages(store),
        intake=intake,
        runs=Runs(store, signals, relay, agents, bounds),
        turns=Turns(store),
        events=Events(store, signals),
        rooms=Rooms(store, signals),
        agents=agents,
        schedules=Schedules(store),
        states=States(store),
        keys=keys,
        credentials=Credentials(keys, Tokens.of(settings)),
        webhooks=Webhooks(store, targets),
        targets=targets,
        delivering=delivering,
        execution=execution,
        upkeep=Upkeep(
            store, signals, relay, execution, Recurrence(store, intake), retention, watch
        ),
        operations=Operations(store, publisher, retention),
        pools=Pools(store, relay),
        bulk=Bulk(store, signals, relay, agents, bounds),
    )


def _rates(settings: Settings) -> RequestRates:
    return RequestRates(
        key=parse_rate(settings.rate_limit),
        session=parse_rate(settings.session_rate_limit),
        user=parse_rate(settings.user_rate_limit),
    )


def _background(platform: Platform, store: Store) -> list[Coroutine[None, None, None]]:
    async def positions_of(ids: Collection[SessionId]) -> dict[SessionId, Position]:
        async with store.reading() as reading:
            return await positions(reading, ids)

    poller = VersionPoller(platform.signals, positions_of)

    async def refresh_hints() -> None:
        await platform.intake.refresh_totals()
        await platform.forces.refresh()

    refresh = _every(platform.settings.sweep_seconds, refresh_hints)
    return [platform.relay.run(), poller.run(), refresh]


def _spare_the_collector() -> None:
    """Stop the collector from visiting, again and again, what lives as long as the process.

    Runs leave few cycles behind; at the default threshold looking for them costs a sixth of
    the processor.
    """
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


async def _every(seconds: float, work: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await work()
        except Unavailable as error:
            log.warning("totals_not_refreshed", reason=error.detail)
        except Exception:
            log.exception("totals_not_refreshed")  # the next time may well succeed
        await asyncio.sleep(seconds)
