"""The last one out: the sessions of the contract that forgets them end with the server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from shared.bootstrap import Platform, open_presence
from shared.domain.errors import Unavailable

log = structlog.get_logger(__name__)


@asynccontextmanager
async def clearing(platform: Platform, stopping: asyncio.Event) -> AsyncIterator[None]:
    """Serve inside the block; if it was told to stop and nobody else serves, clear.

    Only with CLEAR_SESSIONS_ON_SHUTDOWN; what stands in the way is left as it is.
    """
    if not platform.settings.clear_sessions_on_shutdown:
        yield
        return
    async with open_presence(platform.settings) as presence:
        yield
        if not stopping.is_set():
            return
        try:
            if presence is None:
                await platform.lifetimes.clear()
                return
            async with presence.leaving() as alone:
                if alone:
                    await platform.lifetimes.clear()
        except Unavailable as reason:
            log.warning("sessions_not_cleared", reason=reason.detail)
