"""Targets: where webhooks may go, by their URL and by what its host resolves to."""

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress

from shared.clock import monotonic
from shared.domain.addresses import Target, is_public, read_url, refusal
from shared.domain.errors import FieldError, InturnError, ValidationFailed
from shared.domain.requests import NewMessage
from shared.domain.webhook import TargetRefused

Resolve = Callable[[str, int], Awaitable[list[str]]]
Loc = tuple[str | int, ...]

_PATIENCE_SECONDS = 2.0  # of somebody who waits for an answer of ours
_REMEMBERED_SECONDS = 30.0
_REMEMBERED = 1_000
_AT_ONCE = 64


class Targets:
    """Refuses what is not public, unless this installation allows it.

    A check when a URL is given spares its owner a surprise; the one that protects is made
    with every connection, for a name may resolve to something else by then.
    """

    def __init__(self, *, allow_private: bool, resolve: Resolve | None = None) -> None:
        self._allow_private = allow_private
        self._resolve = resolve or SystemResolver()
        self._known: dict[tuple[str, int], tuple[str | None, float]] = {}

    async def check(self, url: str, loc: Loc) -> Target:
        """Take a URL apart that may be posted to. Raises ValidationFailed naming `loc`.

        A name that does not resolve now passes: it may later, and is looked at then.
        """
        try:
            target = read_url(url)
        except ValueError as error:
            raise ValidationFailed.of(loc, str(error)) from None
        wrong = None if self._allow_private else refusal(target) or await self._looked_up(target)
        if wrong:
            raise ValidationFailed((FieldError(loc, wrong),))
        return target

    async def check_callback(self, new: NewMessage, loc: Loc = ("body", "callback_url")) -> None:
        """Check where a message wants to be answered, if it says. Raises like `check`."""
        if new.callback_url is not None:
            await self.check(new.callback_url, loc)

    async def refusal(self, new: NewMessage) -> InturnError | None:
        """Return what `check_callback` raises, for who tells it later."""
        try:
            await self.check_callback(new)
        except InturnError as error:
            return error
        return None

    async def addresses(self, host: str, port: int) -> list[str]:
        """Find the addresses to connect to, all of them allowed. Raises OSError, TargetRefused."""
        found = await self._resolve(host, port)
        if not self._allow_private and not all(map(is_public, found)):
            raise TargetRefused("the host is at an address that is not public")
        return found

    async def _looked_up(self, target: Target) -> str | None:
        key = (target.host, target.port)
        wrong, until = self._known.get(key, (None, 0.0))
        if until > monotonic():
            return wrong
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self.addresses(*key)
        except TargetRefused:
            wrong = "is a host at an address that is not public"
        except OSError:
            wrong = None
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[key] = (wrong, monotonic() + _REMEMBERED_SECONDS)
        return wrong


class SystemResolver:
    """The machine's own resolver, in threads that nobody waits for when the process ends."""

    def __init__(self) -> None:
        self._looking = 0

    async def __call__(self, host: str, port: int) -> list[str]:
        """List the addresses of a host. Raises OSError."""
        if self._looking >= _AT_ONCE:
            raise OSError("too many names are being resolved")
        loop = asyncio.get_running_loop()
        found: asyncio.Future[list[str]] = loop.create_future()

        def tell(addresses: list[str] | OSError) -> None:
            self._looking -= 1
            if found.done():
                return
            if isinstance(addresses, OSError):
                found.set_exception(addresses)
            else:
                found.set_result(addresses)

        def look() -> None:
            addresses = _look(host, port)
            with suppress(RuntimeError):  # the loop may be gone by now
                loop.call_soon_threadsafe(tell, addresses)

        self._looking += 1
        threading.Thread(target=look, name="resolve", daemon=True).start()
        return await found


def _look(host: str, port: int) -> list[str] | OSError:
    try:
        rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        return error
    except UnicodeError:
        return OSError("no name that could be resolved")
    return list(dict.fromkeys(str(row[4][0]) for row in rows))
