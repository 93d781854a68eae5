"""Upkeep: what a sweeper does. Every action is compare-and-set, so any number may sweep."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from shared.clock import monotonic
from shared.dispatch.relay import Relay
from shared.domain.errors import Unavailable
from shared.domain.execution import Settled
from shared.domain.lease import LeaseWatch
from shared.service.execution import Execution
from shared.service.recurrence import Recurrence
from shared.service.retention import Retention
from shared.signals import Signals
from shared.storage import announcing, expiry, instants, workers
from shared.storage.store import Store, Transaction

log = structlog.get_logger(__name__)

_A_CHORE_SECONDS = 1.0


class Upkeep:
    """The passing of time."""

    def __init__(
        self,
        store: Store,
        signals: Signals,
        relay: Relay,
        execution: Execution,
        recurrence: Recurrence,
        retention: Retention,
        watch: LeaseWatch,
    ) -> None:
        self._store = store
        self._signals = signals
        self._relay = relay
        self._execution = execution
        self._recurrence = recurrence
        self._retention = retention
        self._watch = watch

    async def due(self) -> None:
        """Do what instants bring, and have the relay look at every pool that has ready runs."""
        async with self._store.reading() as reading:
            come = await instants.anything(self._store, reading)
            pools = await announcing.pools_with_ready(self._store, reading)
        self._relay.poke(pools)
        if come:
            await self._bring(instants.release)
            await self._bring(instants.end_late)
        await self._end_sessions()
        await self._recurrence.send_due()

    async def sweep(self) -> None:
        """Do everything that is not urgent, once; a chore that fails does not stop the next."""
        chores = (
            self._bury_the_dead,
            self.give_back_left_behind,
            self._forget_lost,
            self._end_undecided,
            self.due,
            self._end_sessions,
            self._retention.sweep,
        )
        for chore in chores:
            try:
                await chore()
            except Unavailable:
                raise
            except Exception:
                log.exception("chore_failed", chore=chore.__name__)

    async def give_back_left_behind(self) -> None:
        """Give back every run whose worker is buried; the loss is counted."""
        while True:
            async with self._store.reading() as reading:
                left = await workers.left_behind(reading)
            settled = await asyncio.gather(
                *map(self._execution.settle, left), return_exceptions=True
            )
            given_back = sum(isinstance(each, Settled) and each.accepted for each in settled)
            for failure in (each for each in settled if isinstance(each, Exception)):
                log.error("not_given_back", reason=repr(failure))
            if not given_back:
                return  # nothing left, or nothing that another round would move
            log.info("given_back", runs=given_back)

    async def forget_announcements(self) -> None:
        """At boot with an embedded broker: it is empty, whatever the rows say."""
        async with self._store.transaction() as transaction:
            await announcing.forget_all(transaction)

    async def bury_everybody(self) -> None:
        """At boot on SQLite: nobody else can be alive, so every claim is given back at once."""
        async with self._store.transaction() as transaction:
            await workers.bury_all(transaction, await self._store.now(transaction))
        await self.give_back_left_behind()

    async def _forget_lost(self) -> None:
        async with self._store.transaction() as transaction:
            await announcing.forget_lost(self._store, transaction)

    async def _end_sessions(self) -> None:
        """Say of sessions that their end is near, or past."""
        async with self._store.reading() as reading:
            come = await expiry.anything(self._store, reading)
        if come:
            await self._bring(expiry.expire)
            await self._bring(expiry.warn)

    async def _end_undecided(self) -> None:
        await self._bring(instants.end_undecided)

    async def _bring(
        self, verb: Callable[[Store, Transaction], Awaitable[instants.Brought]]
    ) -> None:
        """Perform `verb` round after round, for a while."""
        until, more = monotonic() + _A_CHORE_SECONDS, True
        while more and monotonic() < until:
            async with self._store.transaction() as transaction:
                brought = await verb(self._store, transaction)
            for session_id in brought.sessions:
                self._signals.moved(session_id)
            self._relay.poke(brought.pools)
            more = brought.more

    async def _bury_the_dead(self) -> None:
        async with self._store.reading() as reading:
            beats = await workers.beats(reading)
        for worker_id, beat in self._watch.observe(beats, monotonic()).items():
            async with self._store.transaction() as transaction:
                now = await self._store.now(transaction)
                buried = await workers.bury(transaction, worker_id, beat, now)
            if buried:
                log.warning("worker_buried", worker_id=str(worker_id))
