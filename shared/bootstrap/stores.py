"""The database by itself: taken, migrated, or opened for one purpose only."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shared.dispatch.embedded import EmbeddedBroker, EmbeddedPublisher
from shared.service.keys import Keys
from shared.service.operations import Operations
from shared.service.retention import Retention, keeping_times
from shared.settings import Settings
from shared.storage.migrate import check, migrate
from shared.storage.presence import Presence
from shared.storage.store import Store


@asynccontextmanager
async def open_for_reading(settings: Settings) -> AsyncIterator[Operations]:
    """Open the database for its doctor: nothing is taken, migrated or written."""
    store = Store(settings.database)
    try:
        publisher = EmbeddedPublisher(EmbeddedBroker(), settings.namespace)
        yield Operations(store, publisher, open_retention(settings, store))
    finally:
        await store.close()


@asynccontextmanager
async def open_keys(settings: Settings) -> AsyncIterator[Keys]:
    """Open the database for its keys alone: no agent, run or announcement is touched.

    Raises like `open_platform`.
    """
    store = open_store(settings)
    try:
        await prepare(store)
        yield Keys(store)
    finally:
        await store.close()


async def migrate_database(settings: Settings) -> None:
    """Bring the database to this version. Raises like `open_platform`."""
    store = open_store(settings)
    try:
        await migrate(store)
    finally:
        await store.close()


@asynccontextmanager
async def open_presence(settings: Settings) -> AsyncIterator[Presence | None]:
    """Be one of the processes that share the database; null where there is only this one."""
    if settings.sqlite:
        yield None
        return
    async with Presence(settings.database) as presence:
        yield presence


def open_store(settings: Settings) -> Store:
    """Take the database, for this process alone if it is SQLite. Raises AlreadyOwned, OSError."""
    if settings.sqlite and not settings.database_url:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    store = Store(settings.database, batch_max=settings.batch_max)
    store.own()
    return store


def open_retention(settings: Settings, store: Store) -> Retention:
    """Say what is kept for how long."""
    keep = keeping_times(
        event_seconds=settings.event_retention_seconds,
        delivery_days=settings.delivery_retention_days,
        worker_days=settings.worker_retention_days,
    )
    # Small beside a sweep: beats have to be read again in time.
    return Retention(store, keep, budget_seconds=min(1.0, settings.sweep_seconds / 5))


async def prepare(store: Store) -> None:
    """Migrate what is owned, check what is shared. Raises SchemaBehind."""
    if store.sqlite:
        await migrate(store)
    else:
        await check(store)
