"""Who is here: each process that is holds a lock, shared with the others that are.

PostgreSQL lets go of it with the connection, so a process that was killed is here no longer.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Self

import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.domain.errors import Unavailable
from shared.storage.engine import open_connections
from shared.storage.faults import available

log = structlog.get_logger(__name__)

_KEY = 0x696E7475726E  # one for each database: sessions are shared by it, too
_CHECK_SECONDS = 2.0
_AGAIN_SECONDS = 0.1
_ENTER_SECONDS = 15.0  # for whoever leaves to be done with what the last one does

_ENTER = sa.text(f"SELECT pg_try_advisory_lock_shared({_KEY})")
_LEAVE = sa.text(f"SELECT pg_advisory_unlock_shared({_KEY})")
_STAY_ALONE = sa.text(f"SELECT pg_try_advisory_lock({_KEY})")
_STILL = sa.text("SELECT true")


class Presence:
    """This process among those that share a PostgreSQL database."""

    def __init__(self, url: str) -> None:
        self._engine = open_connections(url)
        self._connection: AsyncConnection | None = None
        self._here = False
        self._staying: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Be here; while the last one that was leaves, wait for it, and not for ever."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_ENTER_SECONDS):
                while not await self._be_here():  # noqa: ASYNC110  (only asking tells)
                    await asyncio.sleep(_AGAIN_SECONDS)
        self._staying = asyncio.create_task(self._stay())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stop_staying()
        await self._drop()
        await self._engine.dispose()

    @asynccontextmanager
    async def leaving(self) -> AsyncIterator[bool]:
        """Leave, and tell whether nobody else is here; until the block ends, nobody comes."""
        await self._stop_staying()
        alone = False
        # Whose connection was lost notices at the first question.
        if await self._be_here() or await self._be_here():
            with suppress(Unavailable):
                await self._ask(_LEAVE)
                alone = await self._ask(_STAY_ALONE)
        yield alone

    async def _stay(self) -> None:
        while True:
            await asyncio.sleep(_CHECK_SECONDS)
            if not await self._be_here():
                log.warning("presence_lost")

    async def _be_here(self) -> bool:
        """Take the lock, also again where its connection was lost; tell whether it is held."""
        try:
            self._here = await self._ask(_STILL if self._here else _ENTER)
        except Unavailable:
            return False
        return self._here

    async def _ask(self, question: sa.TextClause) -> bool:
        try:
            async with available():
                if self._connection is None:
                    self._connection = await self._engine.connect()
                return bool((await self._connection.execute(question)).scalar_one())
        except BaseException:
            await self._drop()
            raise

    async def _drop(self) -> None:
        """Close the connection, and with it the lock."""
        connection, self._connection, self._here = self._connection, None, False
        if connection is not None:
            with suppress(Exception):  # it may be broken, which is why
                await connection.close()

    async def _stop_staying(self) -> None:
        if self._staying is not None:
            self._staying.cancel()
            await asyncio.gather(self._staying, return_exceptions=True)
            self._staying = None
